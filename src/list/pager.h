/*-------------------------------------------------------------------------
 *
 * pager.h
 *		A list, page by page, to its end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PAGER_H
#define DNC_PAGER_H

#include "request/call.h"

typedef struct DncPager DncPager;

/* A page that was read; lives until the next one is asked for. */
typedef struct DncPage
{
	const DncJson *first;		/* its first entry; NULL: it has none */
	const bool *given;			/* by index: was given with an earlier page; NULL: none was */
	const char *entries;		/* the array of them as it came, UTF-8, and what follows */
} DncPage;

extern DncPager *dnc_pager_begin(const DncOptions *options, const char *filters, DncCounters *counters);
extern void dnc_pager_set_limit(DncPager *pager, double entries);
extern DncCall *dnc_pager_ask(DncPager *pager);
extern bool dnc_pager_next(DncPager *pager, DncPage *page);
extern int64 dnc_pager_total(const DncPager *pager);
extern int64 dnc_pager_pages(const DncPager *pager);
extern bool dnc_pager_jump(DncPager *pager, int64 number, DncPage *page);
extern int	dnc_pager_count(const DncPager *pager);
extern void dnc_pager_describe(void *arg);

#endif							/* DNC_PAGER_H */
