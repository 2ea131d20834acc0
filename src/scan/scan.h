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
#include "scan/counts.h"

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
