/*-------------------------------------------------------------------------
 *
 * pager.h
 *		A list, page by page, to its end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PAGER_H
#define DNC_PAGER_H

#include "call.h"

typedef struct DncPager DncPager;

extern DncPager *dnc_pager_begin(const DncOptions *options, const char *target, DncTally *tally);
extern const DncJson *dnc_pager_next(DncPager *pager);
extern int	dnc_pager_page(const DncPager *pager);
extern const char *dnc_pager_body(const DncPager *pager, size_t *length);

#endif							/* DNC_PAGER_H */
