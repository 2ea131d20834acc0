/*-------------------------------------------------------------------------
 *
 * pager.c
 *		A list, page by page, to its end: every page, or an error.
 *
 * This is where "a list that was not read to its end is an error" is kept.
 * Whatever an answer says about what follows is checked: it has to be there,
 * of its documented type, and to lead on to a page that was not read before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "pager.h"
#include "report.h"
#include "request.h"

struct DncPager
{
	MemoryContext context;
	MemoryContext page_context; /* reset with each page; holds its call */
	const DncOptions *options;
	const char *target;			/* of the first page; the others add to it */
	DncTally   *tally;
	const DncPaging *paging;	/* NULL until the first answer has shown it */
	DncCall    *call;			/* the page that is being read; holds its tree */
	char	   *next;			/* the cursor of the next page, UTF-8; NULL: none */
	HTAB	   *cursors;		/* hashes of all cursors so far */
	int			page;			/* how many pages were read */
};

/*
 * Begin to read a list.  The pager belongs to the current memory context;
 * *options, target and *tally must outlive it.  Sends nothing yet.
 */
DncPager *
dnc_pager_begin(const DncOptions *options, const char *target, DncTally *tally)
{
	DncPager   *pager = palloc0(sizeof(DncPager));

	pager->context = CurrentMemoryContext;
	pager->page_context = AllocSetContextCreate(pager->context, "dnc_fdw page",
												ALLOCSET_SMALL_SIZES);
	pager->options = options;
	pager->target = target;
	pager->tally = tally;
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

/* Which way of paging the first answer speaks. */
static const DncPaging *
find_paging(DncPager *pager, const DncJson *answer)
{
	const DncListCall *list = &pager->options->provider->list;

	for (int i = 0; i < DNC_MAX_PAGINGS && list->pagings[i]; i++)
	{
		if (dnc_json_get(answer, list->pagings[i]->marker))
			return list->pagings[i];
	}
	dnc_report_contract(pager->options,
						"The answer does not say whether the list goes on: its \"%s\" is missing.",
						list->pagings[0]->marker);
	return NULL;				/* not reached */
}

/* The cursor of the next page into pager->next, if the answer says there is one. */
static void
read_cursor(DncPager *pager, const DncJson *answer, bool empty)
{
	const DncPaging *paging = pager->paging;
	const DncJson *more = dnc_json_get(answer, paging->more);
	const DncJson *next;

	if (more == NULL || dnc_json_kind(more) != DNC_JSON_BOOLEAN)
		dnc_report_contract(pager->options, "The answer's \"%s\" is missing or not a boolean.",
							paging->more);
	if (!dnc_json_boolean(more))
		return;
	next = dnc_json_get(answer, paging->next);
	if (next == NULL || dnc_json_kind(next) != DNC_JSON_STRING || *dnc_json_string(next) == '\0')
		dnc_report_contract(pager->options,
							"The answer's \"%s\" says that the list goes on, but \"%s\", which leads to the next page, is missing or not a string.",
							paging->more, paging->next);
	if (empty)
		dnc_report_contract(pager->options,
							"The page has no entries, but says that the list goes on.");
	if (!remember_cursor(pager, dnc_json_string(next)))
		dnc_report_contract(pager->options,
							"The answer leads back to a page that was read before.");
	pager->next = MemoryContextStrdup(pager->context, dnc_json_string(next));
}

/* Send the request for the next page. */
static void
start_page(DncPager *pager)
{
	DncRequest	request = {.method = "GET", .repeatable = true};

	request.path = pager->options->provider->list.path;
	request.target = pager->target;
	if (pager->next)
	{
		request.target = dnc_request_page_target(pager->target, pager->paging->parameter,
												 pager->next);
		pfree(pager->next);
		pager->next = NULL;
	}
	pager->call = dnc_call_start(pager->options, &request, pager->tally);
	pager->page++;
}

/* The array of entries of the page that was asked for, when it has come. */
static const DncJson *
finish_page(DncPager *pager)
{
	const char *path = pager->options->provider->list.entries;
	const DncJson *answer;
	const DncJson *entries;

	dnc_call_wait(pager->call);
	answer = dnc_call_json(pager->call);
	entries = dnc_json_get(answer, path);
	if (entries == NULL || dnc_json_kind(entries) != DNC_JSON_ARRAY)
		dnc_report_contract(pager->options, "The answer's \"%s\" is missing or not an array.", path);
	if (pager->paging == NULL)
		pager->paging = find_paging(pager, answer);
	read_cursor(pager, answer, dnc_json_first(entries) == NULL);
	return entries;
}

/*
 * Read the next page: its array of entries, which lives until the next call;
 * NULL behind the last page.  Raises 08P01 where the answer leaves any doubt
 * that the list is read to its end, and what dnc_call_wait() raises.
 */
const DncJson *
dnc_pager_next(DncPager *pager)
{
	MemoryContext before;
	const DncJson *entries = NULL;

	MemoryContextReset(pager->page_context);
	pager->call = NULL;
	before = MemoryContextSwitchTo(pager->page_context);
	if (pager->page == 0 || pager->next)
	{
		start_page(pager);
		entries = finish_page(pager);
	}
	MemoryContextSwitchTo(before);
	return entries;
}

/* The number of the page that is being read, from 1; 0: none yet. */
int
dnc_pager_page(const DncPager *pager)
{
	return pager->page;
}

/* The page that is being read, as it came. */
const char *
dnc_pager_body(const DncPager *pager, size_t *length)
{
	return dnc_call_body(pager->call, length);
}
