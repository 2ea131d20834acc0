/*-------------------------------------------------------------------------
 *
 * prefetch.h
 *		The pagers of a scan's chains; some of them start ahead.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PREFETCH_H
#define DNC_PREFETCH_H

#include "list/filter.h"
#include "list/pager.h"

/* A chain that we read now or soon. */
typedef struct DncOpenChain
{
	int			index;			/* among the scan's chains */
	DncChain   *chain;
	DncPager   *pager;
	MemoryContext context;		/* holds all of this */
} DncOpenChain;

typedef struct DncPrefetch DncPrefetch;

extern DncPrefetch *dnc_prefetch_make(const DncChains *chains, DncCounters *counters,
									  int page_size, double limit);
extern const DncOpenChain *dnc_prefetch_open(DncPrefetch *prefetch, int index);
extern bool dnc_prefetch_ask_ahead(DncPrefetch *prefetch, int index);
extern void dnc_prefetch_close(DncPrefetch *prefetch, int index);

#endif							/* DNC_PREFETCH_H */
