/*-------------------------------------------------------------------------
 *
 * prefetch.c
 *		The pagers of a scan's chains, some of them begun ahead.
 *
 * Each has a memory context of its own, so that it can be let go of by itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "list/prefetch.h"

/* The pager of a chain that is being read, or comes soon. */
typedef struct ChainPager
{
	const DncChain *chain;
	MemoryContext context;
	DncPager   *pager;
} ChainPager;

struct DncPrefetch
{
	MemoryContext context;
	const DncOptions *options;
	DncCounters   *counters;
	double		limit;
	List	   *list;			/* of ChainPager */
};

/*
 * For the chains of a scan that ends after so many entries (0: not known).  palloc'd
 * in the current context, with which all of its pagers end; *options and *counters
 * must outlive it.
 */
DncPrefetch *
dnc_prefetch_make(const DncOptions *options, DncCounters *counters, double limit)
{
	DncPrefetch  *pagers = palloc0(sizeof(DncPrefetch));

	pagers->context = CurrentMemoryContext;
	pagers->options = options;
	pagers->counters = counters;
	pagers->limit = limit;
	return pagers;
}

/* The pager of a chain; NULL: it has none yet. */
static ChainPager *
find_pager(const DncPrefetch *pagers, const DncChain *chain)
{
	ListCell   *lc;

	foreach(lc, pagers->list)
	{
		if (((ChainPager *) lfirst(lc))->chain == chain)
			return lfirst(lc);
	}
	return NULL;
}

/* The pager of a chain, begun if it is not yet.  Sends nothing. */
DncPager *
dnc_prefetch_open(DncPrefetch *pagers, const DncChain *chain)
{
	ChainPager *entry = find_pager(pagers, chain);
	MemoryContext before;

	if (entry)
		return entry->pager;
	before = MemoryContextSwitchTo(pagers->context);
	entry = palloc0(sizeof(ChainPager));
	entry->chain = chain;
	entry->context = AllocSetContextCreate(pagers->context, "dnc_fdw chain",
										   ALLOCSET_SMALL_SIZES);
	pagers->list = lappend(pagers->list, entry);
	MemoryContextSwitchTo(entry->context);
	entry->pager = dnc_pager_begin(pagers->options, chain->filters, pagers->counters);
	dnc_pager_set_limit(entry->pager, pagers->limit);
	MemoryContextSwitchTo(before);
	return entry->pager;
}

/* Ask for the first page of a chain that comes soon; false: there is no room for it. */
bool
dnc_prefetch_ask_ahead(DncPrefetch *pagers, const DncChain *chain)
{
	if (find_pager(pagers, chain))
		return true;
	if (!dnc_call_has_room(pagers->options, pagers->counters->budget))
		return false;
	(void) dnc_pager_ask(dnc_prefetch_open(pagers, chain));
	return true;
}

/* A chain was read: let go of its pager. */
void
dnc_prefetch_close(DncPrefetch *pagers, const DncChain *chain)
{
	ChainPager *entry = find_pager(pagers, chain);

	if (entry == NULL)
		return;
	pagers->list = list_delete_ptr(pagers->list, entry);
	MemoryContextDelete(entry->context);
	pfree(entry);
}
