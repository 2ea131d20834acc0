/*-------------------------------------------------------------------------
 *
 * attrs.c
 *		Entries as the API gave them, for the column attrs.
 *
 * cJSON's numbers are doubles, so that a tree printed again could differ from
 * what came.  The column is read by PostgreSQL's own jsonb instead, from the
 * page as it arrived, and only where a query asks for it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "attrs.h"

/* A page's body (UTF-8, NUL-terminated) as jsonb, palloc'd. */
Jsonb *
dnc_attrs_page(const char *body, size_t length)
{
	char	   *text = pg_any_to_server(body, length, PG_UTF8);

	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

/*
 * The index-th element of the array at a path of a page, palloc'd.  The page
 * has been looked through before, so that it is there.
 */
Jsonb *
dnc_attrs_entry(Jsonb *page, const char *path, int index)
{
	JsonbContainer *container = &page->root;
	JsonbValue *value;

	while (*path)
	{
		size_t		length = strcspn(path, ".");

		value = getKeyJsonValueFromContainer(container, path, length, NULL);
		if (value == NULL || value->type != jbvBinary)
			elog(ERROR, "no object or array at \"%s\"", path);
		container = value->val.binary.data;
		path += length + (path[length] == '.');
	}
	value = getIthJsonbValueFromContainer(container, index);
	if (value == NULL)
		elog(ERROR, "no entry %d on the page", index);
	return JsonbValueToJsonb(value);
}
