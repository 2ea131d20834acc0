/*-------------------------------------------------------------------------
 *
 * total.c
 *		How many entries has a list?
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "list/pager.h"
#include "list/total.h"

/*
 * The total that the first page of a chain tells, a page of so many entries: one request,
 * counted in *counters.  For providers that have totals (dnc_provider_has_total()).  Raises
 * what dnc_pager_next() does.
 */
int64
dnc_total(const DncOptions *options, const DncChain *chain, int page_size, DncCounters *counters)
{
	DncPager   *pager = dnc_pager_begin(options, chain->filters, counters);
	ErrorContextCallback context;
	DncPage		page;

	dnc_pager_set_page_size(pager, page_size);
	context.callback = dnc_pager_describe;
	context.arg = pager;
	context.previous = error_context_stack;
	error_context_stack = &context;
	(void) dnc_pager_next(pager, &page);
	error_context_stack = context.previous;
	return dnc_pager_total(pager);
}
