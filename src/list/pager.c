/*-------------------------------------------------------------------------
 *
 * pager.c
 *		A list, page by page, to its end: every page, or an error.
 *
 * This file keeps the promise that "a list that was not read to its end is an error".
 * The pager asks for the pages in their order, some of them ahead.  It hands each answer
 * to the rules of the list's paging, page_cursor.c or page_numbers.c.  They check
 * everything that an answer says about the following pages.  A pager can tell its
 * position after each page, and can begin at a stored position.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "list/fetch.h"
#include "list/page_cursor.h"
#include "list/page_numbers.h"
#include "list/pager.h"
#include "list/paging.h"
#include "request/max_requests.h"
#include "request/remote_error.h"

struct DncPager
{
	MemoryContext context;
	const DncOptions *options;
	List	   *filters;		/* of DncParameter: in each request */
	DncCounters *counters;
	int			page_size;		/* the page size that we ask for */
	DncPageRequest first;		/* the page to begin with */
	double		limit;			/* we need no more entries than this; 0: not known */

	/* The paging of the list; all NULL until the first answer has shown it. */
	const DncPaging *paging;
	DncPageCursor *cursors;		/* either this or numbers */
	DncPageNumbers *numbers;

	DncFetch   *current;		/* the page that the caller reads; NULL: none */
	DncPage		page;			/* the current page's entries */
	DncFetch  **ahead;			/* the pages that come next, at most max_concurrency */
	int			nahead;
	int			count;			/* pages that we waited for */
	int64		given;			/* entries given, each once */
	bool		at_end;			/* no page follows the current page */
	bool		resuming;		/* we have not yet found a stored position */
	bool		has_come;		/* the page that we waited for last has come */
};

/*
 * Begin to read a list.  The filters, a list of DncParameter, narrow the list.  The pager
 * belongs to the current memory context; *options, filters and *counters must outlive it.
 * Sends nothing yet.
 */
DncPager *
dnc_pager_begin(const DncOptions *options, List *filters, DncCounters *counters)
{
	DncPager   *pager = palloc0(sizeof(DncPager));

	pager->context = CurrentMemoryContext;
	pager->options = options;
	pager->filters = filters;
	pager->counters = counters;
	pager->page_size = options->page_size;
	pager->first = dnc_request_first_page(options, options->page_size);
	pager->ahead = palloc(sizeof(DncFetch *) * options->max_concurrency);
	return pager;
}

/* Use another page size than the option page_size says.  Call this before the first request. */
void
dnc_pager_set_page_size(DncPager *pager, int page_size)
{
	pager->page_size = pager->first.limit = page_size;
}

/* Begin with the page of this number, if pages are numbered.  Only before the first request. */
void
dnc_pager_set_first(DncPager *pager, const DncPaging *paging, int64 number)
{
	pager->first.paging = paging;
	pager->first.number = number;
}

/* This many entries will be enough: ask for no page beyond them ahead. */
void
dnc_pager_set_limit(DncPager *pager, double entries)
{
	pager->limit = entries;
}

/* Are this many entries all that we will need? */
static bool
is_enough(const DncPager *pager, double entries)
{
	return pager->limit > 0 && entries >= pager->limit;
}

/* Use a paging from now on. */
static void
set_paging(DncPager *pager, const DncPaging *paging)
{
	MemoryContext before = MemoryContextSwitchTo(pager->context);

	pager->paging = paging;
	if (paging->style == DNC_PAGING_NUMBER)
		pager->numbers = dnc_page_numbers_begin(pager->options, paging, pager->page_size);
	else
		pager->cursors = dnc_page_cursor_begin(pager->options, paging, pager->page_size);
	MemoryContextSwitchTo(before);
}

/* Find out from the first answer which paging the server uses. */
static void
find_paging(DncPager *pager, const DncJson *answer)
{
	const DncProvider *provider = pager->options->provider;
	const DncPaging *paging = dnc_paging_of_answer(provider, answer);

	if (paging == NULL)
		dnc_remote_error_contract(pager->options,
								  "The answer does not say whether the list goes on: its \"%s\" is missing.",
								  provider->list.pagings[0]->marker);
	set_paging(pager, paging);
}

/* Give up all pages that were asked for ahead. */
static void
drop_ahead(DncPager *pager)
{
	while (pager->nahead > 0)
		dnc_fetch_drop(pager->ahead[--pager->nahead]);
}

/* The page to ask for next, after those that were asked for; limit 0: none, or not known. */
static DncPageRequest
next_page(const DncPager *pager)
{
	const DncFetch *last = pager->nahead > 0 ? pager->ahead[pager->nahead - 1] : NULL;
	DncPageRequest none = {0};

	if (pager->numbers)
		return dnc_page_numbers_request(pager->numbers, last ? &last->request : NULL);
	if (last)
		return none;
	return pager->cursors ? dnc_page_cursor_request(pager->cursors) : pager->first;
}

/* Send the request for a page. */
static DncFetch *
start_fetch(DncPager *pager, const DncPageRequest *page)
{
	MemoryContext before = MemoryContextSwitchTo(pager->context);
	DncFetch   *fetch = dnc_fetch_start(pager->options, pager->filters, pager->counters, page);

	MemoryContextSwitchTo(before);
	return fetch;
}

/* Send the request for a page that we need now.  Raises 54000 beyond max_requests. */
static DncFetch *
start_needed(DncPager *pager, const DncPageRequest *page)
{
	pager->has_come = false;
	dnc_max_requests_require(pager->counters->budget, pager->options, 1);
	return start_fetch(pager, page);
}

/*
 * Ask for pages ahead, so that they come while the caller reads others.  We begin when the
 * second page is wanted, because many queries end on the first page.
 */
static void
fetch_ahead(DncPager *pager)
{
	if (pager->at_end || pager->count < (pager->numbers ? 1 : 2))
		return;
	while (pager->nahead < pager->options->max_concurrency)
	{
		DncPageRequest page = next_page(pager);

		if (page.limit == 0 ||
			is_enough(pager, pager->given + (double) pager->nahead * pager->page_size) ||
			!dnc_call_has_room(pager->options, pager->counters->budget))
			return;
		pager->ahead[pager->nahead++] = start_fetch(pager, &page);
	}
}

/*
 * Ask for the page after one that has come, but is not parsed yet.  The cursor is a guess: when
 * we take the page, we see whether the request was right.
 */
static void
ask_early(DncPager *pager, DncAnswer *answer)
{
	DncPageRequest guess;

	if (pager->cursors == NULL || pager->resuming || pager->nahead > 0 || pager->count < 2 ||
		is_enough(pager, pager->given + (double) pager->page_size))
		return;
	guess = dnc_page_cursor_guess(pager->cursors, answer);
	if (guess.limit > 0 && dnc_call_has_room(pager->options, pager->counters->budget))
		pager->ahead[pager->nahead++] = start_fetch(pager, &guess);
}

/* Wait for a page, and parse it into *page; returns the answer. */
static const DncJson *
receive_page(DncPager *pager, DncFetch *fetch, DncPage *page)
{
	DncAnswer  *answer = dnc_fetch_wait(fetch, pager->options, &pager->has_come);

	ask_early(pager, answer);
	return dnc_fetch_parse(fetch, answer, page);
}

/* Hand a page that has come to the rules of its paging. */
static DncPageFit
accept_page(DncPager *pager, DncFetch *fetch, DncPage *page)
{
	const DncJson *answer = receive_page(pager, fetch, page);

	if (pager->paging == NULL)
		find_paging(pager, answer);
	else if (pager->resuming && dnc_json_get(answer, pager->paging->marker) == NULL)
		return DNC_PAGE_LOST;
	if (pager->numbers)
		return dnc_page_numbers_accept(pager->numbers, &fetch->request, answer, page,
									   &pager->at_end);
	return dnc_page_cursor_accept(pager->cursors, answer, page, &pager->at_end);
}

/* Put a page in the place of the current page. */
static void
set_current(DncPager *pager, DncFetch *fetch, const DncPage *page)
{
	int64		new = dnc_page_count_new(page);

	dnc_fetch_drop(pager->current);
	pager->current = fetch;
	pager->page = *page;
	pager->given += new;
	dnc_counters_add(pager->counters, DNC_COUNT_ENTRIES, new);
	if (pager->filters == NIL)
		dnc_progress_expect(pager->counters->progress, dnc_pager_total(pager));
}

/* Wait for a page, and read it into *page, or drop it if it is useless. */
static DncPageFit
take_page(DncPager *pager, DncFetch *fetch, DncPage *page)
{
	MemoryContext before = MemoryContextSwitchTo(fetch->context);
	DncPageFit	fit = accept_page(pager, fetch, page);

	MemoryContextSwitchTo(before);
	if (fit == DNC_PAGE_TAKEN)
		set_current(pager, fetch, page);
	else
		dnc_fetch_drop(fetch);
	return fit;
}

/* Is the first page that we asked for ahead the page to read now? */
static bool
is_wanted(const DncPager *pager)
{
	DncPageRequest wanted;

	if (pager->numbers)
		return dnc_page_numbers_wants(pager->numbers, &pager->ahead[0]->request);
	wanted = pager->cursors ? dnc_page_cursor_request(pager->cursors) : pager->first;
	return dnc_fetch_asks_for(pager->ahead[0], &wanted);
}

/* Give up the pages asked for ahead, if the list has moved or a guessed cursor was wrong. */
static void
drop_unwanted(DncPager *pager)
{
	if (pager->nahead > 0 && !is_wanted(pager))
		drop_ahead(pager);
}

/*
 * Ask for the next page, unless we have already done so.  Returns the call under way; NULL:
 * there is no next page.  The caller can still read the page before it.
 */
DncCall *
dnc_pager_ask(DncPager *pager)
{
	if (pager->at_end)
		return NULL;
	drop_unwanted(pager);
	if (pager->nahead == 0)
	{
		DncPageRequest page = next_page(pager);

		pager->ahead[0] = start_needed(pager, &page);
		pager->nahead = 1;
	}
	if (pager->numbers)
		fetch_ahead(pager);
	return pager->ahead[0]->call;
}

/* Take the first of the pages that were asked for. */
static DncFetch *
take_first(DncPager *pager)
{
	DncFetch   *fetch = pager->ahead[0];

	pager->nahead--;
	memmove(&pager->ahead[0], &pager->ahead[1], sizeof(DncFetch *) * pager->nahead);
	return fetch;
}

/*
 * Read the next page into *page; false: the list was read to its end.
 *
 * Raises 08P01 if an answer leaves any doubt that the list is read to its end, 40001 if the
 * list kept changing, and the errors of dnc_call_wait().
 */
bool
dnc_pager_next(DncPager *pager, DncPage *page)
{
	DncPageFit	fit = DNC_PAGE_UNFIT;

	while (fit == DNC_PAGE_UNFIT && dnc_pager_ask(pager))
	{
		pager->count++;
		fit = take_page(pager, take_first(pager), page);
	}
	if (pager->at_end)
		drop_ahead(pager);
	else if (pager->cursors)
	{
		drop_unwanted(pager);
		fetch_ahead(pager);
	}
	return fit == DNC_PAGE_TAKEN;
}

/*
 * Read any page by its number; this says nothing about the rest of the list.  False: the page
 * has no entries.  Raises 08P01 for a page that contradicts itself, or is not the page that we
 * asked for.
 */
bool
dnc_pager_jump(DncPager *pager, int64 number, DncPage *page)
{
	DncPageRequest request = dnc_page_numbers_page(pager->numbers, number);
	MemoryContext before;
	DncFetch   *fetch;

	drop_ahead(pager);
	fetch = start_needed(pager, &request);
	pager->count++;
	before = MemoryContextSwitchTo(fetch->context);
	dnc_page_numbers_note(pager->numbers, &request, receive_page(pager, fetch, page), page);
	MemoryContextSwitchTo(before);
	set_current(pager, fetch, page);
	return page->first != NULL;
}

/* Is the current page the last page of the list? */
bool
dnc_pager_at_end(const DncPager *pager)
{
	return pager->at_end;
}

/* The list's size, by the last answer with numbers or the first with cursors; -1: not known. */
int64
dnc_pager_total(const DncPager *pager)
{
	if (pager->numbers)
		return dnc_page_numbers_total(pager->numbers);
	return pager->cursors ? dnc_page_cursor_total(pager->cursors) : -1;
}

/* The number of the list's pages, if pages are numbered; else -1. */
int64
dnc_pager_pages(const DncPager *pager)
{
	return pager->numbers ? dnc_page_numbers_pages(pager->numbers) : -1;
}

/* The number of pages that we waited for. */
int
dnc_pager_count(const DncPager *pager)
{
	return pager->count;
}

/* errcontext of a pager: the page, and its request, unless the call names that while it waits. */
void
dnc_pager_describe(void *arg)
{
	const DncPager *pager = arg;
	const char *server = pager->options->server_name;

	if (pager->has_come)
		errcontext("request GET %s to server \"%s\"", pager->options->provider->list.path, server);
	errcontext("page %d of the list of server \"%s\"", pager->count, server);
}

/*
 * Store the position after the current page in *position, palloc'd in the current context.  The
 * caller has taken all entries of the page.
 */
void
dnc_pager_position(const DncPager *pager, DncPosition *position)
{
	memset(position, 0, sizeof(*position));
	position->page_size = pager->page_size;
	position->total = -1;
	if (pager->paging == NULL)
		return;
	position->generation = pager->paging->marker;
	position->pages = pager->count;
	position->given = pager->given;
	position->at_end = pager->at_end;
	if (pager->current && pager->current->request.cursor)
		position->cursor = pstrdup(pager->current->request.cursor);
	for (const DncJson *entry = pager->page.first; entry; entry = dnc_json_next(entry))
		position->ids = lappend(position->ids, pstrdup(dnc_page_id(pager->options, entry)));
	if (pager->numbers)
		dnc_page_numbers_position(pager->numbers, position);
	else
		dnc_page_cursor_position(pager->cursors, position);
}

/* Begin at a position, and read its last page again; see dnc_pager_resume(). */
static const char *
take_up(DncPager *pager, const DncPosition *position, DncPage *page)
{
	const DncPaging *paging = dnc_paging_of_marker(pager->options->provider, position->generation);
	DncPageFit	fit = DNC_PAGE_UNFIT;
	bool		refused = false;

	if (paging == NULL)
		return "The list is paged in another way now.";
	pager->page_size = position->page_size;
	set_paging(pager, paging);
	if (pager->numbers)
		dnc_page_numbers_resume(pager->numbers, position);
	else
		dnc_page_cursor_resume(pager->cursors, position);
	pager->count = position->pages;
	pager->given = position->given;
	pager->at_end = position->at_end;
	pager->resuming = true;
	while (fit == DNC_PAGE_UNFIT && !position->at_end)
	{
		DncPageRequest request = next_page(pager);
		DncFetch   *fetch = start_needed(pager, &request);

		refused = dnc_fetch_wait_refused(fetch);
		if (refused)
			dnc_fetch_drop(fetch);
		fit = refused ? DNC_PAGE_LOST : take_page(pager, fetch, page);
	}
	pager->resuming = false;
	if (fit == DNC_PAGE_LOST)
		return refused ? "The server refuses to give the last page that was read."
			: "The last page that was read is not where it was: the list has moved.";
	return NULL;
}

/*
 * Begin at a stored position, with a pager that has sent no request.  Reads the last page
 * before the position again, into *page: entries that were given before are marked there, the
 * others are new.  If the position is the end of the list, or no page was read before it, we
 * read nothing, and *page is empty.
 *
 * NULL: dnc_pager_next() goes on from there.  Otherwise the result is a sentence that says why
 * this cannot be done, and dnc_pager_next() begins with the first page.  Raises the errors of
 * dnc_pager_next().
 */
const char *
dnc_pager_resume(DncPager *pager, const DncPosition *position, DncPage *page)
{
	int			page_size = pager->page_size;
	const char *problem;

	memset(page, 0, sizeof(*page));
	if (position->generation == NULL)
		return NULL;
	problem = take_up(pager, position, page);
	if (problem)
	{
		memset(page, 0, sizeof(*page));
		pager->page_size = page_size;
		pager->paging = NULL;
		pager->cursors = NULL;
		pager->numbers = NULL;
		pager->given = pager->count = 0;
		pager->at_end = false;
	}
	return problem;
}
