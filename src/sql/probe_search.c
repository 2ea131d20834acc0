/*-------------------------------------------------------------------------
 *
 * probe_search.c
 *		The findings of dnc_fdw_probe() about a search and a filter by type.
 *
 * We take an entry of the first page, and search for its identifier: as it is, in part, and in
 * the other case.  We recognise the entry by its id.  If it is not on the first page of an
 * answer, it counts as not found.  So we find less than the vendor can, never more.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "sql/probe.h"

/* A shorter identifier tells little: other identifiers have parts of it, too. */
#define MIN_LENGTH 6

static const char *const match_names[] = {
	[DNC_SEARCH_EXACT] = "exact",
	[DNC_SEARCH_PREFIX] = "prefix",
	[DNC_SEARCH_SUBSTRING] = "substring",
};

/* The search, and the entry that we search for.  Strings are UTF-8. */
typedef struct Search
{
	DncProbe   *probe;
	const char *parameter;
	const char *id;
	const char *identifier;
	bool		letters;		/* the identifier has letters */
	const char *problem;		/* of a search that gave no list; NULL: none */
} Search;

/* The parameter that narrows the list by a column; NULL: there is none. */
static const char *
parameter_of(const DncProbe *probe, DncColumn column)
{
	const DncProvider *provider = probe->options.provider;

	for (int i = 0; i < provider->nfilters; i++)
	{
		if (provider->filters[i].column == column)
			return provider->filters[i].parameter;
	}
	return NULL;
}

/* Ask for the first page of the list, narrowed by one parameter. */
static void
ask_narrowed(DncProbe *probe, const char *name, const char *value, DncProbeAnswer *answer)
{
	DncParameter *filter = palloc0(sizeof(DncParameter));
	DncPageRequest page = dnc_probe_first_page(probe, probe->limit);

	filter->name = name;
	filter->value = value;
	dnc_probe_ask(probe, list_make1(filter), &page, answer);
}

/* ----- the search ----- */

/* Is an ASCII character a letter? */
static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Can we search for parts of an identifier?  An inner part must not be its beginning. */
static bool
is_suitable(const char *identifier)
{
	size_t		length = strlen(identifier);

	for (const char *c = identifier; *c; c++)
	{
		if (IS_HIGHBIT_SET(*c) || *c <= ' ' || *c == 0x7f)
			return false;
	}
	return length >= MIN_LENGTH && strncmp(identifier, identifier + 1, length - 2) != 0;
}

/* Choose an entry to search for, with letters if possible; false: there is none. */
static bool
choose_entry(Search *search)
{
	const DncProbe *probe = search->probe;

	for (const DncJson *entry = probe->first.page.first; entry; entry = dnc_json_next(entry))
	{
		const char *id = dnc_probe_text(probe, entry, DNC_COL_ID);
		const char *identifier = dnc_probe_text(probe, entry, DNC_COL_IDENTIFIER);
		bool		letters = false;

		if (id == NULL || identifier == NULL || !is_suitable(identifier))
			continue;
		for (const char *c = identifier; *c; c++)
			letters = letters || is_letter(*c);
		if (search->id && !letters)
			continue;
		search->id = id;
		search->identifier = identifier;
		search->letters = letters;
		if (letters)
			break;
	}
	return search->id != NULL;
}

/* Does a search for a value find the entry? */
static bool
finds(Search *search, const char *value)
{
	DncProbeAnswer answer;

	ask_narrowed(search->probe, search->parameter, value, &answer);
	if (answer.problem)
		search->problem = answer.problem;
	return answer.problem == NULL && dnc_probe_find(search->probe, &answer, search->id) != NULL;
}

/* Tell how a search matches, and the setting of search_match that fits. */
static void
tell_match(const Search *search, const char *text, DncSearchMatch match)
{
	DncProbe   *probe = search->probe;
	const char *setting = NULL;

	if (search->problem)
		text = psprintf("cannot be told: %s", search->problem);
	else if ((int) match != probe->options.search_match)
		setting = dnc_probe_setting(probe, "search_match", match_names[match]);
	dnc_probe_tell(probe, "search", text, setting);
}

/* Find out which parts of an identifier find it. */
static void
probe_match(Search *search)
{
	const char *identifier = search->identifier;
	int			length = (int) strlen(identifier);

	if (!finds(search, identifier) && search->problem == NULL)
		dnc_probe_tell(search->probe, "search",
					   "does not find an entry by its own identifier: a look-up (identifier = ...) would take it for not listed. Read the list instead, and ask the vendor",
					   NULL);
	else if (search->problem == NULL && finds(search, pnstrdup(identifier + 1, length - 2)))
		tell_match(search, "finds an identifier by any part of it", DNC_SEARCH_SUBSTRING);
	else if (search->problem == NULL && finds(search, pnstrdup(identifier, length - 1)))
		tell_match(search, "finds an identifier by its beginning", DNC_SEARCH_PREFIX);
	else
		tell_match(search, "finds an identifier by the whole of it only", DNC_SEARCH_EXACT);
}

/* Find out whether case matters to a search. */
static void
probe_case(Search *search)
{
	char	   *other = pstrdup(search->identifier);
	const char *text;

	for (char *c = other; *c; c++)
	{
		if (is_letter(*c))
			*c ^= 'a' ^ 'A';
	}
	search->problem = NULL;
	if (!search->letters)
		text = "cannot be told: no identifier on the first page has letters";
	else if (finds(search, other))
		text = "does not matter";
	else if (search->problem)
		text = psprintf("cannot be told: %s", search->problem);
	else
		text = "matters: look identifiers up in their usual spellings (dnc_fdw_spellings())";
	dnc_probe_tell(search->probe, "search_case", text, NULL);
}

/* Find out how a search matches. */
static void
probe_search(DncProbe *probe)
{
	Search		search = {.probe = probe, .parameter = parameter_of(probe, DNC_COL_IDENTIFIER)};

	if (search.parameter == NULL)
		dnc_probe_tell(probe, "search", "the API has none", NULL);
	else if (!choose_entry(&search))
		dnc_probe_tell(probe, "search",
					   "cannot be told: the first page has no identifier to search for", NULL);
	else
	{
		probe_match(&search);
		probe_case(&search);
	}
}

/* ----- the filter by type ----- */

/* Does an entry have a type? */
static bool
has_type(const DncProbe *probe, const DncJson *entry, const char *type)
{
	const char *own = dnc_probe_text(probe, entry, DNC_COL_IDENTIFIER_TYPE);

	return own && strcmp(own, type) == 0;
}

/* Entries of an answer that have a type. */
static int
count_type(const DncProbe *probe, const DncProbeAnswer *answer, const char *type)
{
	int			count = 0;

	for (const DncJson *entry = answer->page.first; entry; entry = dnc_json_next(entry))
		count += has_type(probe, entry, type);
	return count;
}

/* The first documented type on the first page, if other types are there, too; else NULL. */
static const char *
choose_type(const DncProbe *probe)
{
	const char *const *type = probe->options.provider->identifier_types;

	for (; *type; type++)
	{
		int			count = count_type(probe, &probe->first, *type);

		if (count > 0 && count < probe->first.count)
			return *type;
	}
	return NULL;
}

/* Entries of a type on the first page that an answer does not have. */
static int
count_missing(const DncProbe *probe, const DncProbeAnswer *answer, const char *type)
{
	int			missing = 0;

	for (const DncJson *entry = probe->first.page.first; entry; entry = dnc_json_next(entry))
	{
		const char *id = dnc_probe_text(probe, entry, DNC_COL_ID);

		missing += id && has_type(probe, entry, type) && dnc_probe_find(probe, answer, id) == NULL;
	}
	return missing;
}

/* Tell whether the filter by type gives the entries of that type, and no others. */
static void
probe_type_filter(DncProbe *probe)
{
	const char *parameter = parameter_of(probe, DNC_COL_IDENTIFIER_TYPE);
	const char *type = parameter ? choose_type(probe) : NULL;
	DncProbeAnswer answer;
	const char *text;
	int			others;
	int			missing;

	if (type == NULL)
	{
		dnc_probe_tell(probe, "type_filter",
					   parameter ? "cannot be told: the first page has entries of one type"
					   : "the API has none", NULL);
		return;
	}
	ask_narrowed(probe, parameter, type, &answer);
	others = answer.count - count_type(probe, &answer, type);
	missing = answer.more ? 0 : count_missing(probe, &answer, type);
	if (answer.problem)
		text = psprintf("cannot be told: %s", answer.problem);
	else if (missing > 0)
		text = psprintf("leaves entries out: %d of type %s on the first page are missing, so a condition on identifier_type loses them. Ask the vendor",
						missing, type);
	else if (others > 0)
		text = psprintf("lets other types through: %d of %d entries for %s. count(*) with a condition on identifier_type counts them",
						others, answer.count, type);
	else
		text = "exact";
	dnc_probe_tell(probe, "type_filter", text, NULL);
}

/* Find out about the search and the filter by type, after the first page was read. */
void
dnc_probe_search(DncProbe *probe)
{
	probe_search(probe);
	probe_type_filter(probe);
}
