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

#include "call.h"

typedef struct DncScan DncScan;

extern DncScan *dnc_scan_begin(ForeignScanState *node);
extern DncCall *dnc_scan_ask(DncScan *scan);
extern bool dnc_scan_at_end(const DncScan *scan);
extern bool dnc_scan_next(DncScan *scan, TupleTableSlot *slot);
extern void dnc_scan_restart(DncScan *scan);
extern char *dnc_scan_request_text(DncScan *scan);
extern const DncTally *dnc_scan_tally(const DncScan *scan);
extern int64 dnc_scan_rows(const DncScan *scan);

#endif							/* DNC_SCAN_H */
