/*-------------------------------------------------------------------------
 *
 * counters.h
 *		Counts of requests: for one scan or write, for the session, and for the cluster.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COUNTERS_H
#define DNC_COUNTERS_H

#include "nodes/pg_list.h"

#include "request/count.h"
#include "request/max_requests.h"
#include "request/progress.h"
#include "request/totals.h"

/* The session's counts for one server. */
typedef struct DncServerCounters
{
	Oid			serverid;
	int64		counts[DNC_NCOUNTS];
	DncTotalsPlace *cluster;	/* adds the same counts; NULL: there is no shared memory */
} DncServerCounters;

/*
 * The counts of one scan or write, which uses one server.  They begin as zeros.  Call
 * dnc_counters_begin() before the first request.
 */
typedef struct DncCounters
{
	int64		counts[DNC_NCOUNTS];
	DncServerCounters *session; /* adds the same counts */
	DncBudget  *budget;			/* requests are charged to it */
	DncProgress *progress;		/* adds the same counts; NULL, unless the user sets it */
} DncCounters;

extern void dnc_counters_begin(DncCounters *counters, const DncOptions *options, DncBudget *budget);
extern void dnc_counters_add(DncCounters *counters, DncCount what, int64 more);
extern List *dnc_counters_servers(void);
extern void dnc_counters_reset(void);

#endif							/* DNC_COUNTERS_H */
