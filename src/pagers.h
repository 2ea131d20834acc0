/*-------------------------------------------------------------------------
 *
 * pagers.h
 *		The pagers of a scan's chains, some of them begun ahead.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PAGERS_H
#define DNC_PAGERS_H

#include "chain.h"
#include "pager.h"

typedef struct DncPagers DncPagers;

extern DncPagers *dnc_pagers_make(const DncOptions *options, DncTally *tally, double limit);
extern DncPager *dnc_pagers_open(DncPagers *pagers, const DncChain *chain);
extern bool dnc_pagers_ask_ahead(DncPagers *pagers, const DncChain *chain);
extern void dnc_pagers_close(DncPagers *pagers, const DncChain *chain);

#endif							/* DNC_PAGERS_H */
