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

/* Is an entry one with this identifier, UTF-8, as the API compares them? */
static bool
has_identifier(const DncOptions *options, const DncJson *entry, const char *identifier)
{
	const char *member = dnc_provider_field(options->provider, DNC_COL_IDENTIFIER)->name;
	const DncJson *value = dnc_json_get(entry, member);

	return value && dnc_json_kind(value) == DNC_JSON_STRING &&
		dnc_provider_is_same(options->provider, dnc_json_string(value), identifier);
}

/*
 * The texts under which the list may have an identifier: a list of char *, in the
 * database's encoding.  With ignores_plus, a number is there with or without +.
 */
static List *
spellings(const DncOptions *options, const char *identifier)
{
	char	   *text = pg_any_to_server(identifier, strlen(identifier), PG_UTF8);

	if (!options->provider->ignores_plus)
		return list_make1(text);
	text += *text == '+';
	return list_make2(text, psprintf("+%s", text));
}

/* Does a chain find an identifier?  Reads until it is found. */
static bool
chain_contains(const DncOptions *options, const DncChain *chain, const char *identifier,
			   DncCounters *counters)
{
	DncEntries	entries = {.pager = dnc_pager_begin(options, chain->filters, counters)};
	bool		found = false;

	while (!found && dnc_entries_next_page(&entries))
	{
		while (!found && dnc_entries_next(&entries))
			found = has_identifier(options, entries.entry, identifier);
	}
	return found;
}

/*
 * Is an identifier, UTF-8, on the list, with whatever type, as the API compares
 * identifiers?  Asks the API for it where it can be asked for that, and reads the list
 * otherwise, until it is found.  Its requests are counted in *counters.  Raises what
 * dnc_pager_next() does.
 */
bool
dnc_contains(const DncOptions *options, const char *identifier, DncCounters *counters)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw contains",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	DncCondition condition = {.column = DNC_COL_IDENTIFIER,
	.values = spellings(options, identifier)};
	DncChains  *chains = dnc_filter_chains(options, &condition, 1, DNC_ANY_NUMBER);
	bool		found = false;

	for (int i = 0; i < chains->count; i++)
		found = found || chain_contains(options, dnc_filter_chain(chains, i), identifier, counters);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return found;
}
