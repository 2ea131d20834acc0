/*-------------------------------------------------------------------------
 *
 * state.h
 *		The state of a scan, known only to scan.c, asking.c, chain_rows.c and counting.c.
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
	Oid			userid;			/* we use this user's token; fixed when the query begins */
	const DncOptions *options;	/* without a token until we need one */
	double		limit;			/* we need no more rows than this; 0: not known */
	double		list_requests;	/* expected requests for reading the list */
	bool		may_be_short;	/* the list may have only one page (DNC_PLAN_MAY_BE_SHORT) */
	bool		gives_total;	/* the scan gives the list's total, and no entries */
	List	   *filled;			/* with gives_total: how to fill its columns (DNC_PLAN_COUNTS) */
	bool		grouped;		/* with gives_total: a total of 0 gives no row */
	List	   *types;			/* for a row for each type: the documented types (String) */
	bool		counted;		/* with gives_total: we know the rows to give */
	List	   *groups;			/* these rows, as counting.c knows them */
	int			given;			/* number of these rows given so far */
	const char *identifier;		/* the only identifier that we ask for; NULL: there may be others */
	const char *counted_type;	/* the only type that the scan counts; NULL: all */
	int			page_size;		/* page size to ask for */
	TupleDesc	desc;			/* of the table's rows; with gives_total, of the rows that count */
	DncColumnMap *map;			/* NULL with gives_total */
	Bitmapset  *needed;			/* attribute numbers */
	DncRuntimeValues *conditions;
	DncBound   *bound;			/* NULL: all entries are within, or the table is no partition */
	bool		warned_of_value;	/* about a value: no vendor documents this type */
	bool		warned_of_entry;	/* about an entry: only other vendors have its type */
	DncRowIdentity *identity;	/* of the DELETE that takes the rows; NULL: rows suffice */

	/* The rows that we keep for a scan that runs again. */
	bool		rewinds;		/* the executor says that the scan may run again */
	DncKeptRows *kept;			/* for values that do not vary; else NULL */
	DncLookupCache *lookups;	/* for values that vary; else NULL */
	DncTextSet *begun;			/* with lookups: keys of the chains that we began; NULL: none yet */
	TupleTableSlot *own_slot;	/* for rows that we read ahead of the executor */
	MemoryContext row_context;	/* for these rows' datums */

	/* The chains for the current values; in context. */
	MemoryContext context;
	bool		started;
	DncChains  *chains;
	DncChains  *by_type;		/* we read these instead of chains, if the list turns out to have
								 * more than one page; else NULL */
	int			chain_index;	/* of the next chain */
	DncPrefetch *prefetch;		/* pagers of the current chain and of some that come next */
	bool		reads_list;		/* the chain is the list, instead of a lookup */
	AttrNumber	indexed;		/* with reads_list: the attribute that we look up; 0: none */
	List	   *texts;			/* with reads_list: the values that we look up */

	/* The current chain; in chain_context. */
	MemoryContext chain_context;
	const DncChain *chain;		/* NULL: none */
	DncLookup  *known;			/* its rows, if we know them already */
	DncPager   *pager;			/* NULL: we know its rows */
	DncReader  *reader;			/* NULL: we know its rows */

	/* The transaction's own writes that are not sent yet. */
	bool		own_begun;		/* dnc_overlay_begin() was called; own may still be NULL */
	DncOverlay *own;			/* NULL: none */
	DncOwnRows *own_rows;		/* the transaction's additions; in context; NULL: none */

	DncCounters counters;		/* for everything that this scan has read */
	DncScanCounts counts;
};

#endif							/* DNC_STATE_H */
