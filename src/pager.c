/*-------------------------------------------------------------------------
 *
 * pager.c
 *		A list, page by page, to its end: every page, or an error.
 *
 * This is where "a list that was not read to its end is an error" is kept.
 * Whatever an answer says about what follows is checked: it has to be there,
 * of its documented type, and to lead on to a page that was not read before.
 * Cursors are followed here; numbered pages have a file of their own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "numbered.h"
#include "pager.h"
#include "report.h"
#include "request.h"

/* Of a cursor, in bytes: beyond, no server takes the URL that it makes. */
#define MAX_CURSOR 8192

struct DncPager
{
	MemoryContext context;
	MemoryContext page_context; /* reset with each page; holds its call */
	const DncOptions *options;
	const char *filters;		/* of each request */
	DncTally   *tally;
	const DncPaging *paging;	/* NULL until the first answer has shown it */
	DncCall    *call;			/* the page that is being read; holds its tree */
	int			count;			/* how many pages were asked for */
	bool		asked;			/* that page was asked for, and not read yet */
	bool		at_end;			/* no page follows the one that is being read */
	DncNumbered *numbered;		/* where pages are numbered; else NULL */

	/* Where an answer carries the cursor of the next page. */
	char	   *cursor;			/* UTF-8 */
	HTAB	   *cursors;		/* hashes of all cursors so far */
	int64		entries;		/* read so far */
	int64		total;			/* as the first answer has it; -1: none */
	bool		total_moved;
};

/*
 * Begin to read a list.  The pager belongs to the current memory context;
 * *options, filters and *tally must outlive it.  Sends nothing yet.
 */
DncPager *
dnc_pager_begin(const DncOptions *options, const char *filters, DncTally *tally)
{
	DncPager   *pager = palloc0(sizeof(DncPager));

	pager->context = CurrentMemoryContext;
	pager->page_context = AllocSetContextCreate(pager->context, "dnc_fdw page",
												ALLOCSET_SMALL_SIZES);
	pager->options = options;
	pager->filters = filters;
	pager->tally = tally;
	pager->total = -1;
	return pager;
}

/*
 * Remember a cursor by its 64-bit hash: exact enough to tell that one comes
 * again, and small enough for a list of any length.  False: it came before.
 */
static bool
remember_cursor(DncPager *pager, const char *cursor)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) cursor, strlen(cursor), 0);
	bool		found;

	if (pager->cursors == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(uint64), .entrysize = sizeof(uint64),
		.hcxt = pager->context};

		pager->cursors = hash_create("dnc_fdw cursors", 64, &ctl,
									 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	hash_search(pager->cursors, &hash, HASH_ENTER, &found);
	return !found;
}

/* Find out from the first answer which way of paging the server speaks. */
static void
find_paging(DncPager *pager, const DncJson *answer)
{
	const DncListCall *list = &pager->options->provider->list;

	for (int i = 0; i < DNC_MAX_PAGINGS && list->pagings[i] && !pager->paging; i++)
	{
		if (dnc_json_get(answer, list->pagings[i]->marker))
			pager->paging = list->pagings[i];
	}
	if (pager->paging == NULL)
		dnc_report_contract(pager->options,
							"The answer does not say whether the list goes on: its \"%s\" is missing.",
							list->pagings[0]->marker);
	if (pager->paging->style == DNC_PAGING_NUMBER)
	{
		MemoryContext before = MemoryContextSwitchTo(pager->context);

		pager->numbered = dnc_numbered_begin(pager->options);
		MemoryContextSwitchTo(before);
	}
}

/*
 * Watch the total that comes with cursors.  As long as it does not move, it is
 * what the pages have to add up to.
 */
static void
check_total(DncPager *pager, const DncJson *answer)
{
	const DncJson *json = dnc_json_get(answer, pager->paging->total);
	int64		total = 0;

	if (json == NULL || !dnc_json_count(json, &total))
		dnc_report_contract(pager->options,
							"The answer's \"%s\" is missing or not a whole number.",
							pager->paging->total);
	if (pager->total < 0)
		pager->total = total;
	pager->total_moved = pager->total_moved || total != pager->total;
	if (!pager->total_moved && pager->entries > total)
		dnc_report_contract(pager->options,
							"The answer's \"%s\" is %lld, but there are %lld entries so far.",
							pager->paging->total, (long long) total, (long long) pager->entries);
	if (pager->at_end && !pager->total_moved && pager->entries != total)
		dnc_report_contract(pager->options,
							"The answer's \"%s\" is %lld, but the list ends after %lld entries.",
							pager->paging->total, (long long) total, (long long) pager->entries);
}

/* Take a page of a list with cursors. */
static void
accept_cursor_page(DncPager *pager, const DncJson *answer, const DncJson *entries)
{
	const DncPaging *paging = pager->paging;
	const DncJson *more = dnc_json_get(answer, paging->more);
	const DncJson *next;

	if (more == NULL || dnc_json_kind(more) != DNC_JSON_BOOLEAN)
		dnc_report_contract(pager->options, "The answer's \"%s\" is missing or not a boolean.",
							paging->more);
	for (const DncJson *entry = dnc_json_first(entries); entry; entry = dnc_json_next(entry))
		pager->entries++;
	pager->at_end = !dnc_json_boolean(more);
	if (paging->total)
		check_total(pager, answer);
	if (pager->at_end)
		return;
	next = dnc_json_get(answer, paging->next);
	if (next == NULL || dnc_json_kind(next) != DNC_JSON_STRING || *dnc_json_string(next) == '\0')
		dnc_report_contract(pager->options,
							"The answer's \"%s\" says that the list goes on, but \"%s\", which leads to the next page, is missing or not a string.",
							paging->more, paging->next);
	if (strlen(dnc_json_string(next)) > MAX_CURSOR)
		dnc_report_contract(pager->options, "The answer's \"%s\" is longer than %d bytes.",
							paging->next, MAX_CURSOR);
	if (dnc_json_first(entries) == NULL)
		dnc_report_contract(pager->options,
							"The page has no entries, but says that the list goes on.");
	if (!remember_cursor(pager, dnc_json_string(next)))
		dnc_report_contract(pager->options,
							"The answer leads back to a page that was read before.");
	pager->cursor = MemoryContextStrdup(pager->context, dnc_json_string(next));
}

/* Send the request for the next page, or for the one with a number over 0. */
static void
start_page(DncPager *pager, int64 number)
{
	const DncListCall *list = &pager->options->provider->list;
	DncRequest	request = {.method = "GET", .path = list->path, .repeatable = true};
	int			limit = pager->options->page_size;
	const char *parameter = pager->paging ? pager->paging->parameter : NULL;
	const char *value = pager->cursor;

	if (pager->numbered)
	{
		DncPageRequest page = dnc_numbered_request(pager->numbered);

		limit = page.limit;
		value = psprintf("%lld", (long long) (number > 0 ? number : page.number));
	}
	else if (pager->paging == NULL && list->numbers_first)
	{
		parameter = list->pagings[0]->parameter;
		value = "1";
	}
	request.target = dnc_request_list_target(pager->options, limit, pager->filters, parameter,
											 value);
	dnc_call_allow(pager->options, 1);
	pager->call = dnc_call_start(pager->options, &request, pager->tally);
	pager->count++;
	if (pager->cursor)
	{
		pfree(pager->cursor);
		pager->cursor = NULL;
	}
}

/*
 * Wait for the page that was asked for, into *page; gives the answer, and its
 * array of entries.
 */
static const DncJson *
receive_page(DncPager *pager, DncPage *page, const DncJson **entries)
{
	const char *path = pager->options->provider->list.entries;
	const DncJson *answer;

	dnc_call_wait(pager->call);
	if (dnc_call_status(pager->call) != 200)
		dnc_report_contract(pager->options,
							"The list came with HTTP status %d; only 200 says that it is whole.",
							dnc_call_status(pager->call));
	answer = dnc_call_json(pager->call);
	*entries = dnc_json_get(answer, path);
	if (*entries == NULL || dnc_json_kind(*entries) != DNC_JSON_ARRAY)
		dnc_report_contract(pager->options, "The answer's \"%s\" is missing or not an array.", path);
	memset(page, 0, sizeof(*page));
	page->first = dnc_json_first(*entries);
	page->entries = dnc_json_locate(answer, path, dnc_call_body(pager->call));
	return answer;
}

/* How many entries of a page were not given before. */
static int64
count_new(const DncPage *page)
{
	int64		count = 0;
	int			i = 0;

	for (const DncJson *entry = page->first; entry; entry = dnc_json_next(entry), i++)
		count += page->given == NULL || !page->given[i];
	return count;
}

/*
 * Take the page that was asked for, when it has come.  False: it is of no use,
 * another has to be asked for.
 */
static bool
finish_page(DncPager *pager, DncPage *page)
{
	const DncJson *entries;
	const DncJson *answer = receive_page(pager, page, &entries);

	if (pager->paging == NULL)
		find_paging(pager, answer);
	if (pager->numbered)
		return dnc_numbered_accept(pager->numbered, pager->paging, answer, entries, &page->given,
								   &pager->at_end);
	accept_cursor_page(pager, answer, entries);
	return true;
}

/*
 * Ask for the next page, unless that is done: the call that is under way; NULL:
 * there is no next page.  The page before it is given up.
 */
DncCall *
dnc_pager_ask(DncPager *pager)
{
	MemoryContext before;

	if (pager->at_end || pager->asked)
		return pager->asked ? pager->call : NULL;
	MemoryContextReset(pager->page_context);
	pager->call = NULL;
	before = MemoryContextSwitchTo(pager->page_context);
	start_page(pager, 0);
	MemoryContextSwitchTo(before);
	pager->asked = true;
	return pager->call;
}

/*
 * Read the next page into *page; false: the list was read to its end.
 *
 * Raises 08P01 where an answer leaves any doubt that the list is read to its
 * end, 40001 where it kept changing, and what dnc_call_wait() raises.
 */
bool
dnc_pager_next(DncPager *pager, DncPage *page)
{
	bool		accepted = false;

	while (!accepted && dnc_pager_ask(pager))
	{
		MemoryContext before = MemoryContextSwitchTo(pager->page_context);

		pager->asked = false;
		accepted = finish_page(pager, page);
		if (accepted)
			pager->tally->entries += count_new(page);
		MemoryContextSwitchTo(before);
	}
	return accepted;
}

/* How many entries the list has, as the first answer said; -1: it did not. */
int64
dnc_pager_total(const DncPager *pager)
{
	return pager->numbered ? dnc_numbered_total(pager->numbered) : pager->total;
}

/* How many pages the list has, where pages are numbered; else -1. */
int64
dnc_pager_pages(const DncPager *pager)
{
	return pager->numbered ? dnc_numbered_pages(pager->numbered) : -1;
}

/*
 * Read some page by its number, for a sample: what it has is taken as it is,
 * and nothing is said about the rest of the list.  False: it has no entries.
 */
bool
dnc_pager_jump(DncPager *pager, int64 number, DncPage *page)
{
	MemoryContext before;
	const DncJson *entries;

	MemoryContextReset(pager->page_context);
	before = MemoryContextSwitchTo(pager->page_context);
	start_page(pager, number);
	(void) receive_page(pager, page, &entries);
	MemoryContextSwitchTo(before);
	return page->first != NULL;
}

/* How many pages were asked for. */
int
dnc_pager_count(const DncPager *pager)
{
	return pager->count;
}
