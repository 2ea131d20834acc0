/*-------------------------------------------------------------------------
 *
 * counters.h
 *		What requests came to: of one scan or write, and of the session.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COUNTERS_H
#define DNC_COUNTERS_H

#include "nodes/pg_list.h"

#include "request/max_requests.h"

/* What is counted, in the order of the columns of dnc_fdw_stats(). */
typedef enum DncCount
{
	DNC_COUNT_REQUESTS,			/* sent, retries among them */
	DNC_COUNT_RETRIES,
	DNC_COUNT_RATE_LIMITED,		/* answers of status 429 */
	DNC_COUNT_ENTRIES,			/* of list pages, each once */
	DNC_COUNT_ADDED,			/* entries, as the remote has confirmed */
	DNC_COUNT_DELETED,			/* likewise */
	DNC_COUNT_BYTES,			/* of bodies that were received, after decompression */
	DNC_COUNT_WAITED,			/* microseconds, to be allowed to send, or to try again */
	DNC_NCOUNTS
} DncCount;

/* The session's, of one server. */
typedef struct DncServerCounters
{
	Oid			serverid;
	int64		counts[DNC_NCOUNTS];
} DncServerCounters;

/*
 * Those of one scan or write, which goes to one server.  They begin as zeros, and
 * dnc_counters_begin() comes before the first request.
 */
typedef struct DncCounters
{
	int64		counts[DNC_NCOUNTS];
	DncServerCounters *session; /* counts along */
	DncBudget  *budget;			/* requests are charged to it */
} DncCounters;

extern void dnc_counters_begin(DncCounters *counters, Oid serverid, DncBudget *budget);
extern void dnc_counters_add(DncCounters *counters, DncCount what, int64 more);
extern List *dnc_counters_servers(void);
extern void dnc_counters_reset(void);

#endif							/* DNC_COUNTERS_H */
