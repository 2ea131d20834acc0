/*-------------------------------------------------------------------------
 *
 * total.h
 *		The number of entries of a list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_TOTAL_H
#define DNC_TOTAL_H

#include "list/filter.h"
#include "request/counters.h"

extern int64 dnc_total(const DncOptions *options, const DncChain *chain, int page_size,
					   DncCounters *counters);

#endif							/* DNC_TOTAL_H */
