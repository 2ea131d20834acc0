/*-------------------------------------------------------------------------
 *
 * total.c
 *		The number of entries of a list.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "list/pager.h"
#include "list/total.h"

/*
 * The total of a chain according to its first page, with this page size: one request, counted
 * in *counters.  Only for providers that have totals (dnc_provider_has_total()).  Raises the
 * errors of dnc_pager_next().
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
