/*-------------------------------------------------------------------------
 *
 * prefetch.c
 *		The pagers of a scan's chains, some of them begun ahead.
 *
 * Each has a memory context of its own, so that we can let go of it by itself.
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
	DncCounters *counters;
	int			page_size;
	double		limit;
	List	   *pagers;			/* of ChainPager */
};

/*
 * For the chains of a scan that asks for pages of so many entries and ends after limit
 * entries (0: not known).  palloc'd in the current context, with which all of its pagers
 * end; *options and *counters must outlive it.
 */
DncPrefetch *
dnc_prefetch_make(const DncOptions *options, DncCounters *counters, int page_size, double limit)
{
	DncPrefetch *prefetch = palloc0(sizeof(DncPrefetch));

	prefetch->context = CurrentMemoryContext;
	prefetch->options = options;
	prefetch->counters = counters;
	prefetch->page_size = page_size;
	prefetch->limit = limit;
	return prefetch;
}

/* The pager of a chain; NULL: it has none yet. */
static ChainPager *
find_pager(const DncPrefetch *prefetch, const DncChain *chain)
{
	ListCell   *lc;

	foreach(lc, prefetch->pagers)
	{
		if (((ChainPager *) lfirst(lc))->chain == chain)
			return lfirst(lc);
	}
	return NULL;
}

/* The pager of a chain, begun if it is not yet.  Sends nothing. */
DncPager *
dnc_prefetch_open(DncPrefetch *prefetch, const DncChain *chain)
{
	ChainPager *entry = find_pager(prefetch, chain);
	MemoryContext before;

	if (entry)
		return entry->pager;
	before = MemoryContextSwitchTo(prefetch->context);
	entry = palloc0(sizeof(ChainPager));
	entry->chain = chain;
	entry->context = AllocSetContextCreate(prefetch->context, "dnc_fdw chain",
										   ALLOCSET_SMALL_SIZES);
	prefetch->pagers = lappend(prefetch->pagers, entry);
	MemoryContextSwitchTo(entry->context);
	entry->pager = dnc_pager_begin(prefetch->options, chain->filters, prefetch->counters);
	dnc_pager_set_page_size(entry->pager, prefetch->page_size);
	dnc_pager_set_limit(entry->pager, prefetch->limit);
	MemoryContextSwitchTo(before);
	return entry->pager;
}

/* Ask for the first page of a chain that comes soon; false: there is no room for it. */
bool
dnc_prefetch_ask_ahead(DncPrefetch *prefetch, const DncChain *chain)
{
	if (find_pager(prefetch, chain))
		return true;
	if (!dnc_call_has_room(prefetch->options, prefetch->counters->budget))
		return false;
	(void) dnc_pager_ask(dnc_prefetch_open(prefetch, chain));
	return true;
}

/* A chain was read: let go of its pager. */
void
dnc_prefetch_close(DncPrefetch *prefetch, const DncChain *chain)
{
	ChainPager *entry = find_pager(prefetch, chain);

	if (entry == NULL)
		return;
	prefetch->pagers = list_delete_ptr(prefetch->pagers, entry);
	MemoryContextDelete(entry->context);
	pfree(entry);
}
