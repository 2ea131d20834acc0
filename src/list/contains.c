/*-------------------------------------------------------------------------
 *
 * contains.c
 *		Is an identifier, or the addition of a request, on a list?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "list/contains.h"
#include "list/entries.h"
#include "list/fast_input.h"
#include "list/filter.h"
#include "match/text.h"

/* The values to look for, and the result. */
typedef struct Search
{
	const DncOptions *options;
	const char *identifier;		/* UTF-8 */
	const char *type;			/* UTF-8; NULL: any */
	const char *request_uuid;	/* UTF-8, of the entry; NULL: any */
	DncCounters *counters;
	TimestampTz added;			/* of the entry that was found */
} Search;

/* The text of an entry's column; NULL: it has none. */
static const char *
text_of(const Search *search, const DncJson *entry, DncColumn column)
{
	const DncField *field = dnc_provider_field(search->options->provider, column);
	const DncJson *value = field && field->name ? dnc_json_get(entry, field->name) : NULL;

	return value && dnc_json_kind(value) == DNC_JSON_STRING ? dnc_json_string(value) : NULL;
}

/*
 * Did a certain request add this entry?  The vendor may write the identifier in another way.
 * The uuid alone is not enough: somebody may have used it twice.
 */
static bool
is_of_request(const Search *search, const DncJson *entry)
{
	const char *identifier = text_of(search, entry, DNC_COL_IDENTIFIER);
	const char *uuid = text_of(search, entry, DNC_COL_REQUEST_UUID);
	const char *digits = dnc_text_digits(search->identifier);

	return identifier && uuid && pg_strcasecmp(uuid, search->request_uuid) == 0 &&
		*digits != '\0' && strcmp(dnc_text_digits(identifier), digits) == 0;
}

/* Is this the entry that we look for, as the API compares identifiers? */
static bool
is_wanted(const Search *search, const DncJson *entry)
{
	const char *identifier = text_of(search, entry, DNC_COL_IDENTIFIER);
	const char *type = search->type ? text_of(search, entry, DNC_COL_IDENTIFIER_TYPE) : NULL;

	return identifier &&
		dnc_provider_is_same(search->options->provider, identifier, search->identifier) &&
		(type == NULL || strcmp(type, search->type) == 0);
}

/* The time of an entry's addition, according to the vendor; the end of time: unknown. */
static TimestampTz
added_at(const Search *search, const DncJson *entry)
{
	const char *text = text_of(search, entry, DNC_COL_CREATED_AT);
	Datum		value;

	if (text == NULL || !dnc_fast_input_find(TIMESTAMPTZOID, -1) (text, &value))
		return DT_NOEND;
	return DatumGetTimestampTz(value);
}

/*
 * The texts under which the list may have an identifier: a list of char *, in the database's
 * encoding.  With ignores_plus, the list may have a number with or without +.
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

/* Does a chain find the entry?  Reads until it is found. */
static bool
chain_finds(Search *search, const DncChain *chain)
{
	DncEntries	entries = {.pager = dnc_pager_begin(search->options, chain->filters, search->counters)};
	bool		found = false;

	while (!found && dnc_entries_next_page(&entries))
	{
		while (!found && dnc_entries_next(&entries))
			found = search->request_uuid ? is_of_request(search, entries.entry)
				: is_wanted(search, entries.entry);
	}
	if (found)
		search->added = added_at(search, entries.entry);
	return found;
}

/* Does the list have the entry that we look for, with one of these values in a column? */
static bool
list_has(Search *search, DncColumn column, List *values)
{
	DncCondition condition = {.column = column,.values = values};
	DncChains  *chains = dnc_filter_chains(search->options, &condition, 1, DNC_ANY_NUMBER);
	bool		found = false;

	for (int i = 0; i < chains->count; i++)
		found = found || chain_finds(search, dnc_filter_chain(chains, i));
	return found;
}

/* Can we ask the API for an identifier, UTF-8?  Otherwise dnc_contains() reads the list. */
bool
dnc_contains_is_lookup(const DncOptions *options, const char *identifier)
{
	DncCondition condition = {.column = DNC_COL_IDENTIFIER,
	.values = spellings(options, identifier)};

	return dnc_filter_sends_lookup(dnc_filter_chains(options, &condition, 1, DNC_ANY_NUMBER));
}

/*
 * Is an identifier, UTF-8, on the list, with this type or with any type (NULL), as the API
 * compares identifiers?  *added, which may be NULL, becomes the time of its addition according
 * to the vendor; the end of time means that the vendor does not say.  If possible, we ask the
 * API for the identifier; otherwise we read the list until we find the identifier.  The
 * requests are counted in *counters.  Raises the errors of dnc_pager_next().
 */
bool
dnc_contains(const DncOptions *options, const char *identifier, const char *type,
			 DncCounters *counters, TimestampTz *added)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw contains",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	Search		search = {.options = options,.identifier = identifier,.type = type,
	.counters = counters};
	bool		found = list_has(&search, DNC_COL_IDENTIFIER, spellings(options, identifier));

	if (added)
		*added = search.added;
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return found;
}

/*
 * Is the entry on the list that was added by a request with this identifier and uuid?  Both are
 * UTF-8.  We ask the API for the uuid.  The requests are counted in *counters.  Raises the
 * errors of dnc_pager_next().
 */
bool
dnc_contains_request(const DncOptions *options, const char *identifier, const char *request_uuid,
					 DncCounters *counters)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw contains",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	Search		search = {.options = options,.identifier = identifier,
	.request_uuid = request_uuid,.counters = counters};
	char	   *value = pg_any_to_server(request_uuid, strlen(request_uuid), PG_UTF8);
	bool		found = list_has(&search, DNC_COL_REQUEST_UUID, list_make1(value));

	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return found;
}
