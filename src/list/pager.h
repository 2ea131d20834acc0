/*-------------------------------------------------------------------------
 *
 * pager.h
 *		A list, page by page, to its end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PAGER_H
#define DNC_PAGER_H

#include "list/page.h"
#include "request/call.h"

typedef struct DncPager DncPager;

extern DncPager *dnc_pager_begin(const DncOptions *options, List *filters, DncCounters *counters);
extern void dnc_pager_set_page_size(DncPager *pager, int page_size);
extern void dnc_pager_set_limit(DncPager *pager, double entries);
extern DncCall *dnc_pager_ask(DncPager *pager);
extern void dnc_pager_set_first(DncPager *pager, const DncPaging *paging, int64 number);
extern bool dnc_pager_next(DncPager *pager, DncPage *page);
extern bool dnc_pager_jump(DncPager *pager, int64 number, DncPage *page);
extern bool dnc_pager_at_end(const DncPager *pager);
extern int64 dnc_pager_total(const DncPager *pager);
extern int64 dnc_pager_pages(const DncPager *pager);
extern int	dnc_pager_count(const DncPager *pager);
extern void dnc_pager_describe(void *arg);

extern void dnc_pager_position(const DncPager *pager, DncPosition *position);
extern const char *dnc_pager_resume(DncPager *pager, const DncPosition *position, DncPage *page);

#endif							/* DNC_PAGER_H */
