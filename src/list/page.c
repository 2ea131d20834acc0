/*-------------------------------------------------------------------------
 *
 * page.c
 *		Pages of a list, for every kind of paging.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "list/page.h"
#include "request/remote_error.h"

/* How many entries of a page are new? */
int64
dnc_page_count_new(const DncPage *page)
{
	int64		count = 0;
	int			i = 0;

	for (const DncJson *entry = page->first; entry; entry = dnc_json_next(entry), i++)
		count += page->given == NULL || !page->given[i];
	return count;
}

/* The id of an entry, UTF-8.  Raises 08P01 for an entry without one: all APIs promise it. */
const char *
dnc_page_id(const DncOptions *options, const DncJson *entry)
{
	const char *name = dnc_provider_field(options->provider, DNC_COL_ID)->name;
	const DncJson *id = dnc_json_get(entry, name);

	if (id == NULL || dnc_json_kind(id) != DNC_JSON_STRING)
		dnc_remote_error_contract(options, "An entry's \"%s\" is missing or not a string.", name);
	return dnc_json_string(id);
}
