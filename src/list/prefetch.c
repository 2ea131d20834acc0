/*-------------------------------------------------------------------------
 *
 * prefetch.c
 *		The pagers of a scan's chains; some of them start ahead.
 *
 * Each pager has its own memory context, so we can free it separately.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "list/prefetch.h"

struct DncPrefetch
{
	MemoryContext context;
	const DncChains *chains;
	DncCounters *counters;
	int			page_size;
	double		limit;
	List	   *open;			/* of DncOpenChain */
};

/*
 * Make this for the chains of a scan that asks for pages of page_size entries and ends after
 * limit entries (0: not known).  palloc'd in the current context, and all pagers end with that
 * context; *chains and *counters must outlive it.
 */
DncPrefetch *
dnc_prefetch_make(const DncChains *chains, DncCounters *counters, int page_size, double limit)
{
	DncPrefetch *prefetch = palloc0(sizeof(DncPrefetch));

	prefetch->context = CurrentMemoryContext;
	prefetch->chains = chains;
	prefetch->counters = counters;
	prefetch->page_size = page_size;
	prefetch->limit = limit;
	return prefetch;
}

/* The chain with this index, if it is open; else NULL. */
static DncOpenChain *
find_open(const DncPrefetch *prefetch, int index)
{
	ListCell   *lc;

	foreach(lc, prefetch->open)
	{
		if (((DncOpenChain *) lfirst(lc))->index == index)
			return lfirst(lc);
	}
	return NULL;
}

/* Open the chain with this index, if it is not open yet.  Sends nothing. */
const DncOpenChain *
dnc_prefetch_open(DncPrefetch *prefetch, int index)
{
	DncOpenChain *open = find_open(prefetch, index);
	MemoryContext context;
	MemoryContext before;

	if (open)
		return open;
	context = AllocSetContextCreate(prefetch->context, "dnc_fdw chain", ALLOCSET_SMALL_SIZES);
	before = MemoryContextSwitchTo(context);
	open = palloc0(sizeof(DncOpenChain));
	open->index = index;
	open->context = context;
	open->chain = dnc_filter_chain(prefetch->chains, index);
	open->pager = dnc_pager_begin(prefetch->chains->options, open->chain->filters,
								  prefetch->counters);
	dnc_pager_set_page_size(open->pager, prefetch->page_size);
	dnc_pager_set_limit(open->pager, prefetch->limit);
	MemoryContextSwitchTo(prefetch->context);
	prefetch->open = lappend(prefetch->open, open);
	MemoryContextSwitchTo(before);
	return open;
}

/* Ask for the first page of a chain that comes soon; false: there is no room for it. */
bool
dnc_prefetch_ask_ahead(DncPrefetch *prefetch, int index)
{
	if (find_open(prefetch, index))
		return true;
	if (!dnc_call_has_room(prefetch->chains->options, prefetch->counters->budget))
		return false;
	(void) dnc_pager_ask(dnc_prefetch_open(prefetch, index)->pager);
	return true;
}

/* Free a chain that was read. */
void
dnc_prefetch_close(DncPrefetch *prefetch, int index)
{
	DncOpenChain *open = find_open(prefetch, index);

	if (open == NULL)
		return;
	prefetch->open = list_delete_ptr(prefetch->open, open);
	MemoryContextDelete(open->context);
}
