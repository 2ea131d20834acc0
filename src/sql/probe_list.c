/*-------------------------------------------------------------------------
 *
 * probe_list.c
 *		The findings of dnc_fdw_probe() about a list and its pages.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/base64.h"

#include "sql/probe.h"

/* How many undocumented types we show, and up to which length. */
#define MAX_SHOWN_TYPES 5
#define MAX_TYPE_LENGTH 30

/* ----- findings on the first page ----- */

/* Tell how the list goes on after a page. */
static void
tell_generation(DncProbe *probe)
{
	const DncPaging *paging = probe->first.paging;

	dnc_probe_tell(probe, "generation",
				   psprintf("%s (answers have \"%s\")",
							paging->style == DNC_PAGING_CURSOR ? "a page leads to the next by a cursor"
							: "pages are numbered", paging->marker),
				   NULL);
}

/*
 * Tell how many entries a page has.  The answer to a request for the largest page shows that if
 * it has a member for the size, or if more pages follow.
 */
static void
tell_page_size(DncProbe *probe)
{
	const DncProbeAnswer *first = &probe->first;
	int64		size = dnc_probe_number(first, first->paging->limit);
	const char *setting = NULL;
	const char *text;

	if (size < 1 && first->more)
		size = first->count;
	if (size < 1)
	{
		dnc_probe_tell(probe, "page_size",
					   psprintf("%d at least: the list has no more entries", first->count), NULL);
		return;
	}
	if (probe->refused_limit > 0)
		text = psprintf("%lld, and %d is refused", (long long) size, probe->refused_limit);
	else if (size < probe->limit)
		text = psprintf("%lld, though %d were asked for", (long long) size, probe->limit);
	else
		text = psprintf("%lld, the most that may be asked for", (long long) size);
	if (size != probe->options.page_size && size <= probe->options.provider->list.page_size_max)
		setting = dnc_probe_setting(probe, "page_size", psprintf("%lld", (long long) size));
	dnc_probe_tell(probe, "page_size", text, setting);
	probe->limit = (int) Min(size, probe->limit);
}

/*
 * Tell how many entries the list has.  The option estimated_rows is worth setting if it is off by
 * more than half.
 */
static void
tell_total(DncProbe *probe)
{
	const DncProbeAnswer *first = &probe->first;
	int64		total = dnc_probe_number(first, first->paging->total);
	double		expected = probe->options.estimated_rows;
	const char *setting = NULL;

	if (first->paging->total == NULL)
		dnc_probe_tell(probe, "total", "answers do not tell it", NULL);
	else if (total < 0)
		dnc_probe_tell(probe, "total",
					   psprintf("answers have no \"%s\", which is documented", first->paging->total),
					   NULL);
	else if (!first->more && total != first->count)
		dnc_probe_tell(probe, "total",
					   psprintf("answers say %lld, but the list has %d entries", (long long) total,
								first->count), NULL);
	else
	{
		if (total > 0 && (total > expected * 2 || total < expected / 2))
			setting = dnc_probe_setting(probe, "estimated_rows",
										psprintf("%lld", (long long) total));
		dnc_probe_tell(probe, "total", psprintf("answers tell it: %lld entries", (long long) total),
					   setting);
	}
}

/*
 * Tell the order of the entries on the first page, by the time of their creation.  APIs
 * write times in one form (ISO 8601, UTC), so we compare them as texts of one length.
 */
static void
tell_order(DncProbe *probe)
{
	const char *before = NULL;
	bool		rises = false;
	bool		falls = false;
	bool		known = probe->first.count >= 3;
	const char *text;

	for (const DncJson *entry = probe->first.page.first; entry; entry = dnc_json_next(entry))
	{
		const char *time = dnc_probe_text(probe, entry, DNC_COL_CREATED_AT);

		if (time == NULL || (before && strlen(before) != strlen(time)))
			known = false;
		else if (before)
		{
			rises = rises || strcmp(time, before) > 0;
			falls = falls || strcmp(time, before) < 0;
		}
		before = time;
	}
	if (!known || (!rises && !falls))
		text = psprintf("cannot be told from %d entries", probe->first.count);
	else if (rises && falls)
		text = "not by created_at";
	else
		text = rises ? "the oldest entries come first" : "the newest entries come first";
	dnc_probe_tell(probe, "order", text, NULL);
}

/*
 * Does a text look like a type, and not like somebody's identifier?  We show it only then.  It
 * may have letters, blanks, "_" and "-", and must be short.
 */
static bool
looks_like_type(const char *text)
{
	return *text != '\0' && strlen(text) <= MAX_TYPE_LENGTH &&
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_- ") == strlen(text);
}

/* Is a text in a list of texts? */
static bool
has_text(List *texts, const char *text)
{
	ListCell   *lc;

	foreach(lc, texts)
	{
		if (strcmp(lfirst(lc), text) == 0)
			return true;
	}
	return false;
}

/* Tell the types on the first page that are not documented. */
static void
tell_types(DncProbe *probe)
{
	const DncProvider *provider = probe->options.provider;
	const DncField *field = dnc_provider_field(provider, DNC_COL_IDENTIFIER_TYPE);
	StringInfoData shown;
	List	   *unknown = NIL;
	int			count = 0;

	if (field == NULL || field->name == NULL)
	{
		dnc_probe_tell(probe, "types", "entries have no type", NULL);
		return;
	}
	initStringInfo(&shown);
	for (const DncJson *entry = probe->first.page.first; entry; entry = dnc_json_next(entry))
	{
		const char *type = dnc_probe_text(probe, entry, DNC_COL_IDENTIFIER_TYPE);

		if (type && dnc_provider_has_type(provider, type))
			continue;
		count++;
		if (type == NULL || !looks_like_type(type) || has_text(unknown, type) ||
			list_length(unknown) >= MAX_SHOWN_TYPES)
			continue;
		unknown = lappend(unknown, unconstify(char *, type));
		appendStringInfo(&shown, "%s%s", shown.len > 0 ? ", " : "", type);
	}
	dnc_probe_tell(probe, "types",
				   count == 0 ? psprintf("the types of %d entries are documented", probe->first.count)
				   : psprintf("%d of %d entries have a type that is not documented%s%s", count,
							  probe->first.count, shown.len > 0 ? ": " : "", shown.data),
				   NULL);
}

/* ----- more pages ----- */

/* Do two pages have the same entries in the same order, and any at all? */
static bool
same_page(const DncProbe *probe, const DncProbeAnswer *one, const DncProbeAnswer *other)
{
	const DncJson *entry = one->page.first;
	const DncJson *opposite = other->page.first;

	if (one->count == 0 || one->count != other->count)
		return false;
	for (; entry && opposite; entry = dnc_json_next(entry), opposite = dnc_json_next(opposite))
	{
		const char *id = dnc_probe_text(probe, entry, DNC_COL_ID);
		const char *other_id = dnc_probe_text(probe, opposite, DNC_COL_ID);

		if (id == NULL || other_id == NULL || strcmp(id, other_id) != 0)
			return false;
	}
	return true;
}

/*
 * Does a cursor, read as base64, speak of pages?  Vendors call their cursors opaque, so this is a
 * hint for people, and we do not rely on it.
 */
static bool
speaks_of_pages(const char *cursor)
{
	int			length = (int) strlen(cursor);
	char	   *text = palloc(length + 4);
	char	   *decoded = palloc(length + 4);
	int			decoded_length;

	for (int i = 0; i < length; i++)
		text[i] = cursor[i] == '-' ? '+' : cursor[i] == '_' ? '/' : cursor[i];
	while (length % 4 != 0)
		text[length++] = '=';
	decoded_length = pg_b64_decode(text, length, (void *) decoded, length);
	if (decoded_length < 0)
		return false;
	decoded[decoded_length] = '\0';
	return strstr(decoded, "page") != NULL;
}

/* Ask for the page that a cursor leads to. */
static void
ask_cursor(DncProbe *probe, int limit, const char *cursor, DncProbeAnswer *answer)
{
	DncPageRequest page = {.limit = limit, .paging = probe->first.paging, .cursor = cursor};

	dnc_probe_ask(probe, NIL, &page, answer);
}

/* Tell whether the "previous" cursor leads from the second page back to the first. */
static void
tell_previous(DncProbe *probe, int limit, const DncProbeAnswer *first,
			  const DncProbeAnswer *second)
{
	const char *path = probe->first.paging->previous;
	const char *previous = dnc_probe_member(second, path);
	DncProbeAnswer back;
	const char *text;

	if (path == NULL)
		text = "not documented";
	else if (second->tree == NULL)
		text = "cannot be told without a second page";
	else if (previous == NULL)
		text = "pages do not lead back";
	else
	{
		ask_cursor(probe, limit, previous, &back);
		text = same_page(probe, &back, first) ? "leads back to the page before"
			: "does not lead back to the page before";
	}
	dnc_probe_tell(probe, "previous", text, NULL);
}

/* Tell whether cursors can be used again.  We read two small pages, and the second once more. */
static void
tell_cursors(DncProbe *probe)
{
	int			limit = probe->first.count >= 4 ? 2 : 1;
	DncPageRequest page = dnc_probe_first_page(probe, limit);
	DncProbeAnswer first = {0};
	DncProbeAnswer second = {0};
	DncProbeAnswer again;
	const char *cursor = NULL;
	const char *text;

	if (probe->first.count >= 2)
	{
		dnc_probe_ask(probe, NIL, &page, &first);
		cursor = first.more ? dnc_probe_member(&first, probe->first.paging->next) : NULL;
	}
	if (cursor)
		ask_cursor(probe, limit, cursor, &second);
	if (cursor == NULL)
		text = "cannot be told without a second page";
	else if (second.problem || same_page(probe, &first, &second))
		text = second.problem ? psprintf("cannot be used: %s", second.problem)
			: "do not lead to the next page";
	else
	{
		ask_cursor(probe, limit, cursor, &again);
		text = psprintf("%s%s",
						same_page(probe, &second, &again) ? "can be used again" : "can be used once only",
						speaks_of_pages(cursor)
						? "; they seem to count pages: read while nobody removes entries" : "");
	}
	dnc_probe_tell(probe, "cursors", text, NULL);
	tell_previous(probe, limit, &first, &second);
}

/*
 * Tell whether numbered pages keep their order: does page 2 have the entry that the first page
 * leads us to expect?
 */
static void
tell_numbers(DncProbe *probe)
{
	const DncJson *entry = probe->first.page.first;
	DncPageRequest page = {.limit = 1, .paging = probe->first.paging, .number = 2};
	DncProbeAnswer second;
	const char *text;

	if (probe->first.count < 2)
		text = "none, pages are numbered; their order cannot be told from fewer than two entries";
	else
	{
		const char *id = dnc_probe_text(probe, dnc_json_next(entry), DNC_COL_ID);

		dnc_probe_ask(probe, NIL, &page, &second);
		text = id && dnc_probe_find(probe, &second, id)
			? "none, pages are numbered, and entries keep their order"
			: "none, pages are numbered, and entries did not keep their order: if nobody has changed the list meanwhile, it cannot be read to its end with certainty";
	}
	dnc_probe_tell(probe, "cursors", text, NULL);
}

/* Find out about the list and its pages, after the first page was read. */
void
dnc_probe_list(DncProbe *probe)
{
	tell_generation(probe);
	tell_page_size(probe);
	tell_total(probe);
	tell_order(probe);
	tell_types(probe);
	if (probe->first.paging->style == DNC_PAGING_CURSOR)
		tell_cursors(probe);
	else
		tell_numbers(probe);
}
