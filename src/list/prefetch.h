/*-------------------------------------------------------------------------
 *
 * prefetch.h
 *		The pagers of a scan's chains, some of them begun ahead.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PREFETCH_H
#define DNC_PREFETCH_H

#include "list/filter.h"
#include "list/pager.h"

typedef struct DncPrefetch DncPrefetch;

extern DncPrefetch *dnc_prefetch_make(const DncOptions *options, DncCounters *counters,
									  int page_size, double limit);
extern DncPager *dnc_prefetch_open(DncPrefetch *prefetch, const DncChain *chain);
extern bool dnc_prefetch_ask_ahead(DncPrefetch *prefetch, const DncChain *chain);
extern void dnc_prefetch_close(DncPrefetch *prefetch, const DncChain *chain);

#endif							/* DNC_PREFETCH_H */
