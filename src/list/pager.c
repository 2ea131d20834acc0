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

#include "list/page_numbers.h"
#include "list/pager.h"
#include "request/max_requests.h"
#include "request/remote_error.h"
#include "request/request.h"

/* Of a cursor, in bytes: beyond, no server takes the URL that it makes. */
#define MAX_CURSOR 8192

/* A page that was asked for. */
typedef struct Fetch
{
	MemoryContext context;		/* holds the call, and so the page's tree */
	DncCall    *call;
	DncPageRequest request;		/* where pages are numbered */
	const char *cursor;			/* where that is asked for; else NULL */
} Fetch;

struct DncPager
{
	MemoryContext context;
	const DncOptions *options;
	const char *filters;		/* of each request */
	DncCounters   *counters;
	const DncPaging *paging;	/* NULL until the first answer has shown it */
	Fetch	   *current;		/* the page that is being read; NULL: none */
	Fetch	  **ahead;			/* those that come next, max_concurrency at the most */
	int			nahead;
	int			count;			/* how many pages were waited for */
	int64		given;			/* entries, each once */
	double		limit;			/* entries that will be enough; 0: not known */
	bool		at_end;			/* no page follows the one that is being read */
	DncPageNumbers *numbered;		/* where pages are numbered; else NULL */

	/* Where an answer carries the cursor of the next page. */
	char	   *cursor;			/* UTF-8 */
	HTAB	   *cursors;		/* hashes of all cursors so far */
	int64		entries;		/* read so far */
	int64		total;			/* as the first answer has it; -1: none */
	bool		total_moved;
};

/*
 * Begin to read a list.  The pager belongs to the current memory context;
 * *options, filters and *counters must outlive it.  Sends nothing yet.
 */
DncPager *
dnc_pager_begin(const DncOptions *options, const char *filters, DncCounters *counters)
{
	DncPager   *pager = palloc0(sizeof(DncPager));

	pager->context = CurrentMemoryContext;
	pager->options = options;
	pager->filters = filters;
	pager->counters = counters;
	pager->total = -1;
	pager->ahead = palloc(sizeof(Fetch *) * options->max_concurrency);
	return pager;
}

/* So many entries will be enough: ask for no page ahead that is beyond them. */
void
dnc_pager_set_limit(DncPager *pager, double entries)
{
	pager->limit = entries;
}

/* By what a cursor is remembered: exact enough to tell that one comes again, and small. */
static uint64
cursor_hash(const char *cursor)
{
	return hash_bytes_extended((const unsigned char *) cursor, strlen(cursor), 0);
}

/* Did a cursor come before? */
static bool
knows_cursor(const DncPager *pager, const char *cursor)
{
	uint64		hash = cursor_hash(cursor);

	return pager->cursors && hash_search(pager->cursors, &hash, HASH_FIND, NULL);
}

/* Remember a cursor; false: it came before. */
static bool
remember_cursor(DncPager *pager, const char *cursor)
{
	uint64		hash = cursor_hash(cursor);
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
		dnc_remote_error_contract(pager->options,
								  "The answer does not say whether the list goes on: its \"%s\" is missing.",
								  list->pagings[0]->marker);
	if (pager->paging->style == DNC_PAGING_NUMBER)
	{
		MemoryContext before = MemoryContextSwitchTo(pager->context);

		pager->numbered = dnc_page_numbers_begin(pager->options);
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
		dnc_remote_error_contract(pager->options,
								  "The answer's \"%s\" is missing or not a whole number.",
								  pager->paging->total);
	if (pager->total < 0)
		pager->total = total;
	pager->total_moved = pager->total_moved || total != pager->total;
	if (!pager->total_moved && pager->entries > total)
		dnc_remote_error_contract(pager->options,
								  "The answer's \"%s\" is %lld, but there are %lld entries so far.",
								  pager->paging->total, (long long) total, (long long) pager->entries);
	if (pager->at_end && !pager->total_moved && pager->entries != total)
		dnc_remote_error_contract(pager->options,
								  "The answer's \"%s\" is %lld, but the list ends after %lld entries.",
								  pager->paging->total, (long long) total, (long long) pager->entries);
}

/* Give up a page; NULL is none. */
static void
drop_fetch(Fetch *fetch)
{
	if (fetch)
		MemoryContextDelete(fetch->context);
}

/* Give up all pages that were asked for ahead. */
static void
drop_ahead(DncPager *pager)
{
	while (pager->nahead > 0)
		drop_fetch(pager->ahead[--pager->nahead]);
}

/* Take a page of a list with cursors. */
static void
accept_cursor_page(DncPager *pager, const DncJson *answer, const DncJson *entries)
{
	const DncPaging *paging = pager->paging;
	const DncJson *more = dnc_json_get(answer, paging->more);
	const DncJson *next;

	if (more == NULL || dnc_json_kind(more) != DNC_JSON_BOOLEAN)
		dnc_remote_error_contract(pager->options, "The answer's \"%s\" is missing or not a boolean.",
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
		dnc_remote_error_contract(pager->options,
								  "The answer's \"%s\" says that the list goes on, but \"%s\", which leads to the next page, is missing or not a string.",
								  paging->more, paging->next);
	if (strlen(dnc_json_string(next)) > MAX_CURSOR)
		dnc_remote_error_contract(pager->options, "The answer's \"%s\" is longer than %d bytes.",
								  paging->next, MAX_CURSOR);
	if (dnc_json_first(entries) == NULL)
		dnc_remote_error_contract(pager->options,
								  "The page has no entries, but says that the list goes on.");
	if (!remember_cursor(pager, dnc_json_string(next)))
		dnc_remote_error_contract(pager->options,
								  "The answer leads back to a page that was read before.");
	if (pager->nahead > 0 && strcmp(pager->ahead[0]->cursor, dnc_json_string(next)) == 0)
		return;					/* ask_early() has seen it */
	drop_ahead(pager);
	pager->cursor = MemoryContextStrdup(pager->context, dnc_json_string(next));
}

/* The page to ask for next, or so many ahead of it; limit 0: not known, or none. */
static DncPageRequest
next_request(const DncPager *pager, int ahead)
{
	DncPageRequest first = {.limit = pager->options->page_size, .number = 1};
	DncPageRequest none = {0};

	if (pager->numbered)
		return dnc_page_numbers_request(pager->numbered, ahead);
	return ahead == 0 ? first : none;
}

/*
 * Send the request for a page: the one with that number, or where the cursor leads
 * to, or the first.
 */
static Fetch *
start_fetch(DncPager *pager, DncPageRequest page)
{
	const DncListCall *list = &pager->options->provider->list;
	MemoryContext context = AllocSetContextCreate(pager->context, "dnc_fdw page",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	DncRequest	request = {.method = "GET", .path = list->path, .repeatable = true};
	const DncPaging *paging = pager->paging;
	const char *parameter = paging ? paging->parameter : NULL;
	const char *value = pager->cursor;
	Fetch	   *fetch = palloc0(sizeof(Fetch));

	fetch->context = context;
	fetch->request = page;
	if (paging == NULL && list->numbers_first)
		parameter = list->pagings[0]->parameter;
	if (pager->numbered || paging == NULL)
		value = psprintf("%lld", (long long) page.number);
	request.target = dnc_request_list_target(pager->options, page.limit, pager->filters, parameter,
											 value);
	fetch->call = dnc_call_start(pager->options, &request, pager->counters);
	if (pager->cursor)
	{
		fetch->cursor = pstrdup(pager->cursor);
		pfree(pager->cursor);
		pager->cursor = NULL;
	}
	MemoryContextSwitchTo(before);
	return fetch;
}

/*
 * Ask for pages ahead, so that they come while others are read.  Not before the
 * second page is wanted, since many a query ends on the first.
 */
static void
fetch_ahead(DncPager *pager)
{
	if (pager->at_end || (pager->paging && !pager->numbered && pager->cursor == NULL) ||
		pager->count < (pager->numbered ? 1 : 2))
		return;
	while (pager->nahead < pager->options->max_concurrency)
	{
		DncPageRequest request = next_request(pager, pager->nahead);

		if (pager->limit > 0 &&
			pager->given + (double) pager->nahead * pager->options->page_size >= pager->limit)
			return;
		if (request.limit == 0 || (!pager->numbered && pager->nahead > 0) ||
			!dnc_call_has_room(pager->options, pager->counters->budget))
			return;
		pager->ahead[pager->nahead++] = start_fetch(pager, request);
	}
}

/*
 * Ask for the page behind one that has come, but was not read yet, so that the server
 * makes it while this one's tree is made.  Where the cursor stands is a hint only:
 * accept_cursor_page() compares.  Nothing is asked that a page which is as it
 * should be would not ask.
 */
static void
ask_early(DncPager *pager, DncAnswer *body)
{
	const DncPaging *paging = pager->paging;
	const char *more;
	const char *next;
	size_t		length;

	if (paging == NULL || pager->numbered || pager->nahead > 0 ||
		(pager->limit > 0 &&
		 pager->given + (double) pager->options->page_size >= pager->limit))
		return;
	more = dnc_answer_peek(body, paging->more);
	next = dnc_answer_peek(body, paging->next);
	if (more == NULL || strncmp(more, "true", 4) != 0 || next == NULL || *next != '"')
		return;
	next++;
	length = strcspn(next, "\"\\");
	if (length == 0 || length > MAX_CURSOR || next[length] != '"')
		return;
	pager->cursor = MemoryContextAlloc(pager->context, length + 1);
	strlcpy(pager->cursor, next, length + 1);
	if (!knows_cursor(pager, pager->cursor))
		fetch_ahead(pager);
	if (pager->cursor)
		pfree(pager->cursor);
	pager->cursor = NULL;
}

/*
 * Wait for the page that was asked for, into *page; gives the answer, and its
 * array of entries.
 */
static const DncJson *
receive_page(DncPager *pager, const Fetch *fetch, DncPage *page, const DncJson **entries)
{
	const char *path = pager->options->provider->list.entries;
	const DncJson *answer;
	DncAnswer    *body;

	dnc_call_wait(fetch->call);
	if (dnc_call_status(fetch->call) != 200)
		dnc_remote_error_contract(pager->options,
								  "The list came with HTTP status %d; only 200 says that it is whole.",
								  dnc_call_status(fetch->call));
	body = dnc_call_answer(fetch->call);
	ask_early(pager, body);
	answer = dnc_answer_tree(body);
	*entries = dnc_json_get(answer, path);
	if (*entries == NULL || dnc_json_kind(*entries) != DNC_JSON_ARRAY)
		dnc_remote_error_contract(pager->options, "The answer's \"%s\" is missing or not an array.", path);
	memset(page, 0, sizeof(*page));
	page->first = dnc_json_first(*entries);
	page->entries = dnc_json_locate(answer, path, body->http->body);
	return answer;
}

/*
 * Take the page that was asked for, when it has come.  False: it is of no use,
 * another has to be asked for.
 */
static bool
finish_page(DncPager *pager, const Fetch *fetch, DncPage *page)
{
	const DncJson *entries;
	const DncJson *answer = receive_page(pager, fetch, page, &entries);

	if (pager->paging == NULL)
		find_paging(pager, answer);
	if (pager->numbered)
		return dnc_page_numbers_accept(pager->numbered, fetch->request, pager->paging, answer, entries,
									   &page->given, &pager->at_end);
	accept_cursor_page(pager, answer, entries);
	return true;
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

/* Is what was asked for ahead what is wanted next?  The list may have moved since. */
static bool
ahead_fits(const DncPager *pager)
{
	DncPageRequest wanted = next_request(pager, 0);

	return pager->nahead == 0 || !pager->numbered ||
		(pager->ahead[0]->request.limit == wanted.limit &&
		 pager->ahead[0]->request.number == wanted.number);
}

/*
 * Ask for the next page, unless that is done: the call that is under way; NULL:
 * there is no next page.  The page before it can still be read.
 */
DncCall *
dnc_pager_ask(DncPager *pager)
{
	if (pager->at_end)
		return NULL;
	if (!ahead_fits(pager))
		drop_ahead(pager);
	if (pager->nahead == 0)
	{
		dnc_max_requests_require(pager->counters->budget, pager->options, 1);
		pager->ahead[0] = start_fetch(pager, next_request(pager, 0));
		pager->nahead = 1;
	}
	if (pager->numbered)
		fetch_ahead(pager);
	return pager->ahead[0]->call;
}

/* Take the first of the pages that were asked for. */
static Fetch *
take_first(DncPager *pager)
{
	Fetch	   *fetch = pager->ahead[0];

	pager->nahead--;
	memmove(&pager->ahead[0], &pager->ahead[1], sizeof(Fetch *) * pager->nahead);
	return fetch;
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
		Fetch	   *fetch = take_first(pager);
		MemoryContext before = MemoryContextSwitchTo(fetch->context);

		pager->count++;
		accepted = finish_page(pager, fetch, page);
		MemoryContextSwitchTo(before);
		drop_fetch(accepted ? pager->current : fetch);
		if (accepted)
		{
			int64		new = count_new(page);

			pager->current = fetch;
			pager->given += new;
			dnc_counters_add(pager->counters, DNC_COUNT_ENTRIES, new);
		}
	}
	if (pager->at_end)
		drop_ahead(pager);
	else if (pager->paging && !pager->numbered)
		fetch_ahead(pager);
	return accepted;
}

/* How many entries the list has, as the first answer said; -1: it did not. */
int64
dnc_pager_total(const DncPager *pager)
{
	return pager->numbered ? dnc_page_numbers_total(pager->numbered) : pager->total;
}

/* How many pages the list has, where pages are numbered; else -1. */
int64
dnc_pager_pages(const DncPager *pager)
{
	return pager->numbered ? dnc_page_numbers_pages(pager->numbered) : -1;
}

/*
 * Read some page by its number, for a sample: what it has is taken as it is,
 * and nothing is said about the rest of the list.  False: it has no entries.
 */
bool
dnc_pager_jump(DncPager *pager, int64 number, DncPage *page)
{
	DncPageRequest request = next_request(pager, 0);
	MemoryContext before;
	const DncJson *entries;

	drop_ahead(pager);
	drop_fetch(pager->current);
	request.number = number;
	dnc_max_requests_require(pager->counters->budget, pager->options, 1);
	pager->current = start_fetch(pager, request);
	pager->count++;
	before = MemoryContextSwitchTo(pager->current->context);
	(void) receive_page(pager, pager->current, page, &entries);
	MemoryContextSwitchTo(before);
	dnc_counters_add(pager->counters, DNC_COUNT_ENTRIES, count_new(page));
	return page->first != NULL;
}

/* errcontext, of a pager: which page. */
void
dnc_pager_describe(void *arg)
{
	const DncPager *pager = arg;

	errcontext("page %d of the list of server \"%s\"", pager->count,
			   pager->options->server_name);
}

/* How many pages were waited for. */
int
dnc_pager_count(const DncPager *pager)
{
	return pager->count;
}
