/*-------------------------------------------------------------------------
 *
 * counting.h
 *		Scans that count.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COUNTING_H
#define DNC_COUNTING_H

#include "executor/tuptable.h"

#include "list/filter.h"
#include "scan/counts.h"

extern DncChains *dnc_counting_type_chains(const DncScan *scan, const char *type);
extern bool dnc_counting_next(DncScan *scan, TupleTableSlot *slot);

#endif							/* DNC_COUNTING_H */
