/*-------------------------------------------------------------------------
 *
 * fetch.c
 *		One page of a list, from its request until it is parsed.
 *
 * Each page has one memory context: call, body and tree go together when the next page
 * takes its place.  This file does not know which page comes next.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "list/fetch.h"
#include "request/remote_error.h"

/*
 * Send the request for a page of a list.  The filters, a list of DncParameter, narrow the list.
 * The page's context is a child of the current context.
 */
DncFetch *
dnc_fetch_start(const DncOptions *options, const List *filters, DncCounters *counters,
				const DncPageRequest *page)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw page",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	DncFetch   *fetch = palloc0(sizeof(DncFetch));
	DncRequest	request;

	fetch->context = context;
	fetch->request = *page;
	if (page->cursor)
		fetch->request.cursor = pstrdup(page->cursor);
	dnc_request_list(options, page, filters, &request);
	fetch->call = dnc_call_start(options, &request, counters);
	MemoryContextSwitchTo(before);
	return fetch;
}

/* We take no list that a cache has kept for longer than this, in seconds. */
#define MAX_AGE 60

/*
 * Wait for a page that was asked for; returns its answer, not parsed yet.  *has_come becomes
 * true when the wait is over, so that errors can say so.  Raises the errors of dnc_call_wait(),
 * and 08P01 for a status that does not say that the list is whole, or an answer that a cache has
 * kept for too long.
 */
DncAnswer *
dnc_fetch_wait(DncFetch *fetch, const DncOptions *options, bool *has_come)
{
	*has_come = false;
	/* A page that was asked for ahead may have come.  Then we do not wait, and nothing else looks. */
	CHECK_FOR_INTERRUPTS();
	dnc_call_wait(fetch->call);
	*has_come = true;
	if (dnc_call_status(fetch->call) != 200)
		dnc_remote_error_contract(options,
								  "The list came with HTTP status %d; only 200 says that it is whole.",
								  dnc_call_status(fetch->call));
	if (!(dnc_call_age(fetch->call) <= MAX_AGE))
		dnc_remote_error_contract(options,
								  "A cache has kept the answer for %.0f s, by its header \"Age\". The list may have changed since.",
								  dnc_call_age(fetch->call));
	return dnc_call_answer(fetch->call);
}

/*
 * Wait for a page that was asked for.  Does the vendor refuse to give it?  Vendors document no
 * status for a cursor that they no longer accept.  400 and 422 say that the request is bad, 404
 * and 410 that there is no such page (RFC 9110 15.5).
 */
bool
dnc_fetch_wait_refused(DncFetch *fetch)
{
	DncTryFacts facts;
	DncProblem	problem;

	dnc_call_wait_any(&fetch->call, 1);
	return dnc_call_problem(fetch->call, &problem) && dnc_call_last_try(fetch->call, &facts) &&
		(facts.status == 400 || facts.status == 404 || facts.status == 410 ||
		 facts.status == 422);
}

/*
 * Parse a page that has come: returns the answer as a tree, and puts the page's entries into
 * *page.  Both live as long as the fetch.  Raises 08P01 if the answer has no array of entries.
 */
const DncJson *
dnc_fetch_parse(DncFetch *fetch, DncAnswer *answer, DncPage *page)
{
	const char *path = answer->options->provider->list.entries;
	const DncJson *tree = dnc_answer_tree(answer);
	const DncJson *entries = dnc_json_get(tree, path);

	if (entries == NULL || dnc_json_kind(entries) != DNC_JSON_ARRAY)
		dnc_remote_error_contract(answer->options,
								  "The answer's \"%s\" is missing or not an array.", path);
	memset(page, 0, sizeof(*page));
	page->first = dnc_json_first(entries);
	page->entries = dnc_json_locate(tree, path, answer->http->body);
	return tree;
}

/* Did a fetch ask for this page? */
bool
dnc_fetch_asks_for(const DncFetch *fetch, const DncPageRequest *page)
{
	const DncPageRequest *asked = &fetch->request;

	if (asked->limit != page->limit || asked->number != page->number)
		return false;
	if (asked->cursor == NULL || page->cursor == NULL)
		return asked->cursor == page->cursor;
	return strcmp(asked->cursor, page->cursor) == 0;
}

/* Give up a page, read or not; the page may be NULL. */
void
dnc_fetch_drop(DncFetch *fetch)
{
	if (fetch)
		MemoryContextDelete(fetch->context);
}
