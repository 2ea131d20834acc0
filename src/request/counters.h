/*-------------------------------------------------------------------------
 *
 * counters.h
 *		What requests came to: of one scan or write, of the session, and of the cluster.
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

/* The session's, of one server. */
typedef struct DncServerCounters
{
	Oid			serverid;
	int64		counts[DNC_NCOUNTS];
	DncTotalsPlace *cluster;	/* counts along; NULL: there is no shared memory */
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
	DncProgress *progress;		/* counts along, if the user of the counters has set it; or NULL */
} DncCounters;

extern void dnc_counters_begin(DncCounters *counters, const DncOptions *options, DncBudget *budget);
extern void dnc_counters_add(DncCounters *counters, DncCount what, int64 more);
extern List *dnc_counters_servers(void);
extern void dnc_counters_reset(void);

#endif							/* DNC_COUNTERS_H */
