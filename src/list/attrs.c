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

#include "list/attrs.h"
#include "wire/json_text.h"

/*
 * The entry that stands at a place of a page (UTF-8) as jsonb, palloc'd.
 * Raises 22P05 where the database's encoding lacks a character of it, and what
 * jsonb raises where it has a limit.
 */
Jsonb *
dnc_attrs_entry(const char *entry)
{
	char	   *text = dnc_json_text_copy(entry);

	text = pg_any_to_server(text, strlen(text), PG_UTF8);
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}
