/*-------------------------------------------------------------------------
 *
 * scan.h
 *		A foreign scan at run time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_SCAN_H
#define DNC_SCAN_H

#include "nodes/execnodes.h"

#include "request/call.h"

typedef struct DncScan DncScan;

/* The rows of a scan by where they came from, for EXPLAIN. */
typedef struct DncScanCounts
{
	int64		rows;			/* from the remote, before local clauses */
	int64		remembered;		/* lookups that were known already */
	int64		waiting;		/* rows of the transaction's own waiting additions */
	int64		asked;			/* chains that were begun with a request */
	int64		switched_after; /* how many of them, when the list took the place of lookups;
								 * -1: it did not */
} DncScanCounts;

extern DncScan *dnc_scan_begin(ForeignScanState *node, int eflags);
extern DncCall *dnc_scan_ask(DncScan *scan);
extern bool dnc_scan_at_end(const DncScan *scan);
extern bool dnc_scan_next(DncScan *scan, TupleTableSlot *slot);
extern void dnc_scan_restart(DncScan *scan);
extern void dnc_scan_end(DncScan *scan);
extern List *dnc_scan_request_texts(DncScan *scan, int max, int *count);
extern const DncCounters *dnc_scan_counters(const DncScan *scan);
extern const DncScanCounts *dnc_scan_counts(const DncScan *scan);

#endif							/* DNC_SCAN_H */
