/*-------------------------------------------------------------------------
 *
 * scan_progress.h
 *		A scan in dnc_fdw_progress.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_SCAN_PROGRESS_H
#define DNC_SCAN_PROGRESS_H

#include "nodes/execnodes.h"

#include "request/progress.h"

extern DncProgress *dnc_scan_progress_begin(const ForeignScanState *node,
											const DncOptions *options, int chains);

#endif							/* DNC_SCAN_PROGRESS_H */
