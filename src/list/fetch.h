/*-------------------------------------------------------------------------
 *
 * fetch.h
 *		One page of a list, from its request until it is parsed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_FETCH_H
#define DNC_FETCH_H

#include "list/page.h"
#include "request/call.h"

/* A page that was asked for. */
typedef struct DncFetch
{
	MemoryContext context;		/* holds the call, and so the page's tree */
	DncCall    *call;
	DncPageRequest request;
} DncFetch;

extern DncFetch *dnc_fetch_start(const DncOptions *options, const List *filters,
								 DncCounters *counters, const DncPageRequest *page);
extern DncAnswer *dnc_fetch_wait(DncFetch *fetch, const DncOptions *options, bool *has_come);
extern bool dnc_fetch_wait_refused(DncFetch *fetch);
extern const DncJson *dnc_fetch_parse(DncFetch *fetch, DncAnswer *answer, DncPage *page);
extern bool dnc_fetch_asks_for(const DncFetch *fetch, const DncPageRequest *page);
extern void dnc_fetch_drop(DncFetch *fetch);

#endif							/* DNC_FETCH_H */
