/*-------------------------------------------------------------------------
 *
 * contains.c
 *		Is an identifier on a list?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "list/contains.h"
#include "list/entries.h"
#include "list/filter.h"

/* Is an entry one with this identifier, UTF-8? */
static bool
has_identifier(const DncOptions *options, const DncJson *entry, const char *identifier)
{
	const char *member = dnc_provider_field(options->provider, DNC_COL_IDENTIFIER)->name;
	const DncJson *value = dnc_json_get(entry, member);

	return value && dnc_json_kind(value) == DNC_JSON_STRING &&
		strcmp(dnc_json_string(value), identifier) == 0;
}

/*
 * Is an identifier, UTF-8, on the list, with whatever type?  Asks the API for it where it
 * can be asked for that, and reads the list otherwise, until it is found.  Its requests
 * are counted in *counters.  Raises what dnc_pager_next() does.
 */
bool
dnc_contains(const DncOptions *options, const char *identifier, DncCounters *counters)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw contains",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	DncCondition condition = {.column = DNC_COL_IDENTIFIER,
	.values = list_make1(pg_any_to_server(identifier, strlen(identifier), PG_UTF8))};
	DncChain   *chain = linitial(dnc_filter_chains(options, &condition, 1));
	DncEntries	entries = {.pager = dnc_pager_begin(options, chain->filters, counters)};
	bool		found = false;

	while (!found && dnc_entries_next_page(&entries))
	{
		while (!found && dnc_entries_next(&entries))
			found = has_identifier(options, entries.entry, identifier);
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return found;
}
