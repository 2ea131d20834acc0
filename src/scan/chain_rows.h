/*-------------------------------------------------------------------------
 *
 * chain_rows.h
 *		The rows of a scan's chains, one chain after another.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_CHAIN_ROWS_H
#define DNC_CHAIN_ROWS_H

#include "scan/state.h"

extern void dnc_chain_rows_begin(DncScan *scan);
extern bool dnc_chain_rows_fetch(DncScan *scan, TupleTableSlot *slot);
extern void dnc_chain_rows_keep_rest(DncScan *scan);

#endif							/* DNC_CHAIN_ROWS_H */
