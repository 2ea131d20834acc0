/*-------------------------------------------------------------------------
 *
 * state.h
 *		The state of a scan, known to scan.c, asking.c and chain_rows.c only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_STATE_H
#define DNC_STATE_H

#include "nodes/execnodes.h"

#include "list/filter.h"
#include "list/prefetch.h"
#include "list/text_set.h"
#include "plan/bound.h"
#include "plan/runtime_values.h"
#include "scan/counts.h"
#include "scan/kept_rows.h"
#include "scan/lookup_cache.h"
#include "scan/own_rows.h"
#include "scan/reader.h"
#include "write/overlay.h"
#include "write/row_identity.h"

struct DncScan
{
	ForeignScanState *node;
	Oid			userid;			/* whose token is used: fixed when the query begins */
	const DncOptions *options;	/* without a token until it is needed */
	double		limit;			/* rows that will be enough; 0: not known */
	double		list_requests;	/* that reading the list is expected to take */
	bool		may_be_short;	/* it may have one page, for all we know (DNC_PLAN_MAY_BE_SHORT) */
	bool		gives_total;	/* gives the list's total, and no entries */
	List	   *filled;			/* where it does: how it fills its columns (DNC_PLAN_COUNTS) */
	bool		grouped;		/* where it does: gives no row for a total of 0 */
	List	   *types;			/* where it gives a row for each type: the documented ones (String) */
	bool		counted;		/* the rows that it gives are known */
	List	   *groups;			/* these rows, as counting.c knows them */
	int			given;			/* how many of them it has given */
	const char *identifier;		/* the only one that is asked for; NULL: others may be */
	const char *counted_type;	/* the only one that it counts; NULL: all */
	int			page_size;		/* that is asked for */
	TupleDesc	desc;			/* the table's; where it counts, of its one row */
	DncColumnMap *map;			/* NULL where it counts */
	Bitmapset  *needed;			/* attribute numbers */
	DncRuntimeValues *conditions;
	DncBound   *bound;			/* NULL: all entries are within; it is no partition */
	bool		warned_of_value;	/* that no vendor documents a type that is asked for */
	bool		warned_of_entry;	/* that an entry has a type of other vendors */
	DncRowIdentity *identity;	/* of the DELETE that takes the rows; NULL: they say all */

	/* The rows that are kept for a scan that is run again. */
	bool		rewinds;		/* the executor says that it is */
	DncKeptRows *kept;			/* if the values do not vary; else NULL */
	DncLookupCache *lookups;	/* if they do; else NULL */
	DncTextSet *begun;			/* then: keys of the chains that were begun; NULL: none yet */
	TupleTableSlot *own_slot;	/* for rows that are read ahead of the executor */
	MemoryContext row_context;	/* and their datums */

	/* The chains for the values of now; in context. */
	MemoryContext context;
	bool		started;
	DncChains  *chains;
	DncChains  *by_type;		/* to be read in place of them, if the list turns out to have
								 * more than one page; else NULL */
	int			chain_index;	/* of the next one */
	DncPrefetch *prefetch;		/* pagers of the one that is read and of some that come next */
	bool		reads_list;		/* the chain is the list, in place of a lookup */
	AttrNumber	indexed;		/* then: the attribute that is looked up; 0: none */
	List	   *texts;			/* then: the values of it */

	/* The chain that is being read; in chain_context. */
	MemoryContext chain_context;
	const DncChain *chain;		/* NULL: none */
	DncLookup  *known;			/* its rows, if it is known already */
	DncPager   *pager;			/* NULL: its rows are known */
	DncReader  *reader;			/* likewise */

	/* The writes of the transaction itself that were not sent yet. */
	bool		own_begun;		/* dnc_overlay_begin() was called; own may still be NULL */
	DncOverlay *own;			/* NULL: nothing */
	DncOwnRows *own_rows;		/* what it has added; in context; NULL: nothing */

	DncCounters counters;		/* over all this scan has read */
	DncScanCounts counts;
};

#endif							/* DNC_STATE_H */
