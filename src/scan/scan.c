/*-------------------------------------------------------------------------
 *
 * scan.c
 *		A foreign scan at run time: the pull loop from plan to rows.
 *
 * A scan starts late.  We evaluate its values, look up the token and send a request only
 * when its first row is wanted.  So EXPLAIN, and a branch of the plan that is not run,
 * cost nothing.
 *
 * Nothing is asked twice in a statement.  Where a scan can be run again with
 * other values, we remember what each of them has found; where it is run again
 * with the same, we keep its rows, on disk if they are beyond work_mem.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "config/credential.h"
#include "list/decode.h"
#include "list/filter.h"
#include "list/prefetch.h"
#include "list/total.h"
#include "plan/bound.h"
#include "plan/plan.h"
#include "plan/runtime_values.h"
#include "request/request.h"
#include "scan/kept_rows.h"
#include "scan/lookup_cache.h"
#include "scan/own_rows.h"
#include "scan/reader.h"
#include "scan/scan.h"
#include "scan/scan_progress.h"
#include "write/overlay.h"
#include "write/row_identity.h"

struct DncScan
{
	ForeignScanState *node;
	Oid			userid;			/* whose token is used: fixed when the query begins */
	const DncOptions *options;	/* without a token until it is needed */
	double		limit;			/* rows that will be enough; 0: not known */
	bool		gives_total;	/* gives the list's total, and no entries */
	bool		counted;		/* has given it */
	const char *identifier;		/* the only one that is asked for; NULL: others may be */
	const char *counted_type;	/* the only one that it counts; NULL: all */
	int			page_size;		/* that is asked for */
	TupleDesc	desc;			/* the table's; where it counts, of its one row */
	DncColumnMap *map;			/* NULL where it counts */
	Bitmapset  *needed;			/* attribute numbers */
	DncRuntimeValues *conditions;
	DncBound   *bound;			/* NULL: all entries are within; it is no partition */
	DncRowIdentity *identity;	/* of the DELETE that takes the rows; NULL: they say all */

	/* The rows that are kept for a scan that is run again. */
	bool		may_rerun;
	DncKeptRows *kept;			/* if the values do not vary; else NULL */
	DncLookupCache *lookups;	/* if they do; else NULL */

	/* The chains for the values of now; in context. */
	MemoryContext context;
	bool		started;
	List	   *chains;
	int			chain_index;	/* of the next one */
	DncPrefetch *prefetch;		/* pagers of the one that is read and of some that come next */

	/* The chain that is being read; in chain_context. */
	MemoryContext chain_context;
	DncChain   *chain;			/* NULL: none */
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

/*
 * Set a scan up from its plan; sends nothing.  palloc'd in the current
 * context, which must be the executor's.
 */
DncScan *
dnc_scan_begin(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = castNode(ForeignScan, node->ss.ps.plan);
	Relation	relation = node->ss.ss_currentRelation;
	Oid			relid = linitial_oid(list_nth(plan->fdw_private, DNC_PLAN_TABLE));
	int			page_size = intVal(list_nth(plan->fdw_private, DNC_PLAN_PAGE_SIZE));
	DncScan    *scan = palloc0(sizeof(DncScan));
	ListCell   *lc;

	scan->node = node;
	scan->userid = dnc_scan_user(node);
	scan->options = dnc_options_load(GetForeignServerIdByRelId(relid), relid);
	scan->page_size = page_size > 0 ? page_size : scan->options->page_size;
	scan->gives_total = intVal(list_nth(plan->fdw_private, DNC_PLAN_COUNTS)) != 0;
	scan->desc = node->ss.ss_ScanTupleSlot->tts_tupleDescriptor;
	if (!scan->gives_total)
		scan->map = dnc_column_map(relid, RelationGetRelationName(relation),
								   RelationGetDescr(relation));
	foreach(lc, (List *) list_nth(plan->fdw_private, DNC_PLAN_NEEDED))
		scan->needed = bms_add_member(scan->needed, lfirst_int(lc));
	scan->limit = floatVal(list_nth(plan->fdw_private, DNC_PLAN_LIMIT));
	scan->conditions = dnc_runtime_values_make(plan, &node->ss.ps);
	if (!scan->gives_total)
	{
		scan->identity = dnc_row_identity_begin(node, scan->options, scan->map);
		scan->bound = dnc_bound_begin(relation, scan->options, scan->map, node->ss.ps.state);
	}
	if (scan->bound)
		scan->needed = dnc_bound_add_attributes(scan->bound, scan->needed);
	scan->may_rerun = !scan->gives_total &&
		((eflags & EXEC_FLAG_REWIND) || !bms_is_empty(plan->scan.plan.allParam));
	scan->context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw scan",
										  ALLOCSET_DEFAULT_SIZES);
	scan->chain_context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw chain",
												ALLOCSET_DEFAULT_SIZES);
	return scan;
}

/*
 * Find the chains for the values of now.  In scan->context, except for data that
 * outlives a restart.
 */
static void
choose_chains(DncScan *scan)
{
	MemoryContext query = scan->node->ss.ps.state->es_query_cxt;
	int			count = dnc_runtime_values_count(scan->conditions);
	DncCondition *conditions;

	conditions = dnc_runtime_values_evaluate(scan->conditions, scan->node->ss.ps.ps_ExprContext);
	scan->chains = dnc_filter_chains(scan->options, conditions, count);
	scan->identifier = dnc_runtime_values_only_value(scan->conditions, conditions, DNC_COL_IDENTIFIER);
	if (scan->gives_total)
		scan->counted_type = dnc_runtime_values_only_value(scan->conditions, conditions,
														   DNC_COL_IDENTIFIER_TYPE);
	if (scan->chains && !scan->own_begun)
	{
		MemoryContext before = MemoryContextSwitchTo(query);

		scan->options = dnc_credential_options(scan->options, scan->userid);
		dnc_counters_begin(&scan->counters, scan->options,
						   dnc_max_requests_of_statement(scan->options));
		scan->counters.progress = dnc_scan_progress_begin(scan->node, scan->options,
														  list_length(scan->chains));
		scan->own = dnc_overlay_begin(scan->options,
									  scan->node->ss.ps.state->es_snapshot->curcid);
		scan->own_begun = true;
		MemoryContextSwitchTo(before);
	}
	/* The few entries that a LIMIT asks for may all be hidden. */
	if (scan->own || scan->bound)
		scan->page_size = scan->options->page_size;
	if (scan->own)
		scan->chains = dnc_filter_chains_by_identity(scan->options, conditions, count);
}

/* Get ready to give the entries that our own transaction has added. */
static void
begin_own_rows(DncScan *scan)
{
	DncOwnReading reading = {.options = scan->options, .own = scan->own, .chains = scan->chains,
		.identifier = scan->identifier, .type = scan->counted_type, .desc = scan->desc,
	.map = scan->map, .needed = scan->needed, .bound = scan->bound,
	.identity = scan->identity};

	scan->own_rows = dnc_own_rows_begin(&reading);
}

/* Get ready to keep the rows of a scan that may be run again, unless that is done. */
static void
keep_rows(DncScan *scan)
{
	EState	   *estate = scan->node->ss.ps.state;
	MemoryContext before;

	if (!scan->may_rerun || scan->lookups || scan->kept)
		return;
	before = MemoryContextSwitchTo(estate->es_query_cxt);
	if (dnc_runtime_values_vary(scan->conditions))
		scan->lookups = dnc_lookup_cache_make(work_mem * (Size) 1024);
	else
		scan->kept = dnc_kept_rows_make(estate, scan->desc);
	MemoryContextSwitchTo(before);
}

/* Begin with the values of now; sends nothing. */
static void
start_scan(DncScan *scan)
{
	MemoryContext before = MemoryContextSwitchTo(scan->context);

	scan->started = true;
	scan->chain_index = 0;
	choose_chains(scan);
	if (scan->own)
		begin_own_rows(scan);
	scan->prefetch = dnc_prefetch_make(scan->options, &scan->counters, scan->page_size,
									   scan->limit);
	keep_rows(scan);
	MemoryContextSwitchTo(before);
}

/*
 * Ask for the first pages of the chain that is begun and of those that come next.  Not
 * before the second one is begun, since many a query ends with the first.
 */
static void
ask_ahead(DncScan *scan)
{
	if (scan->chain_index < 2)
		return;
	(void) dnc_pager_ask(scan->pager);
	for (int i = scan->chain_index; i < list_length(scan->chains); i++)
	{
		const DncChain *chain = list_nth(scan->chains, i);

		if (scan->lookups && dnc_lookup_cache_has(scan->lookups, chain->key))
			continue;
		if (!dnc_prefetch_ask_ahead(scan->prefetch, chain))
			break;
	}
}

/* Begin with the next chain; false: there is none. */
static bool
begin_chain(DncScan *scan)
{
	DncReading	reading = {.options = scan->options, .own = scan->own,
	.counted_type = scan->counted_type, .bound = scan->bound, .identity = scan->identity};
	MemoryContext before;

	if (scan->chain_index >= list_length(scan->chains))
		return false;
	MemoryContextReset(scan->chain_context);
	scan->chain = list_nth(scan->chains, scan->chain_index++);
	scan->pager = NULL;
	scan->reader = NULL;
	scan->known = scan->lookups ? dnc_lookup_cache_open(scan->lookups, scan->chain->key) : NULL;
	if (scan->known)
	{
		scan->counts.remembered++;
		return true;
	}
	scan->pager = dnc_prefetch_open(scan->prefetch, scan->chain);
	before = MemoryContextSwitchTo(scan->chain_context);
	reading.chain = scan->chain;
	reading.pager = scan->pager;
	reading.decoder = dnc_decoder_make(scan->options, scan->desc, scan->map, scan->needed,
									   scan->chain->search);
	scan->reader = dnc_reader_begin(&reading);
	MemoryContextSwitchTo(before);
	if (scan->lookups)
		dnc_lookup_cache_begin(scan->lookups, scan->chain->key);
	ask_ahead(scan);
	return true;
}

/* The chain was read to its end. */
static void
end_chain(DncScan *scan)
{
	if (scan->lookups && scan->known == NULL)
		dnc_lookup_cache_finish(scan->lookups);
	dnc_prefetch_close(scan->prefetch, scan->chain);
	scan->chain = NULL;
	scan->known = NULL;
	scan->pager = NULL;
	scan->reader = NULL;
}

/* The next row of the chain that was begun, into the slot. */
static bool
fetch_chain_row(DncScan *scan, TupleTableSlot *slot)
{
	if (scan->known)
		return dnc_lookup_cache_next(scan->known, slot);
	if (!dnc_reader_next(scan->reader, !scan->node->ss.ps.async_capable, slot))
		return false;
	scan->counts.rows++;
	if (scan->lookups)
		dnc_lookup_cache_add(scan->lookups, slot);
	return true;
}

/* The next row from the remote, or from what is known of it, into the slot. */
static bool
fetch_remote_row(DncScan *scan, TupleTableSlot *slot)
{
	while (scan->chain || begin_chain(scan))
	{
		if (fetch_chain_row(scan, slot))
			return true;
		if (scan->known == NULL && !dnc_reader_at_end(scan->reader))
			return false;		/* its page is still to come */
		end_chain(scan);
	}
	return false;
}

/* The next row of the scan, into the slot; false: none, or it is still to come. */
static bool
fetch_row(DncScan *scan, TupleTableSlot *slot)
{
	if (fetch_remote_row(scan, slot))
		return true;
	if (scan->chain || scan->own_rows == NULL || !dnc_own_rows_next(scan->own_rows, slot))
		return false;
	scan->counts.waiting++;
	return true;
}

/*
 * The entries of the list one by one, since the remote's total knows nothing of what
 * our own transaction has written.
 */
static int64
count_one_by_one(DncScan *scan, TupleTableSlot *slot)
{
	int64		count = 0;

	while (fetch_row(scan, slot))
	{
		ExecClearTuple(slot);
		count++;
	}
	return count;
}

/* The one row of a scan that counts, into the slot. */
static bool
count_entries(DncScan *scan, TupleTableSlot *slot)
{
	MemoryContext before = MemoryContextSwitchTo(scan->context);
	int64		total = 0;

	if (scan->counted)
		return false;
	if (scan->own)
		total = count_one_by_one(scan, slot);
	else if (scan->chains)
		total = dnc_total(scan->options, linitial(scan->chains), scan->page_size,
						  &scan->counters);
	scan->counted = true;
	MemoryContextSwitchTo(before);
	slot->tts_values[0] = Int64GetDatum(total);
	slot->tts_isnull[0] = false;
	ExecStoreVirtualTuple(slot);
	return true;
}

/*
 * The call that the next row has to wait for: that of the next page, which is sent if
 * need be; NULL: there is nothing to wait for.
 */
DncCall *
dnc_scan_ask(DncScan *scan)
{
	if (!scan->started)
		start_scan(scan);
	if (scan->kept && !dnc_kept_rows_at_end(scan->kept))
		return NULL;
	if (scan->chain == NULL)
		(void) begin_chain(scan);
	return scan->reader ? dnc_reader_ask(scan->reader) : NULL;
}

/* Were all rows given? */
bool
dnc_scan_at_end(const DncScan *scan)
{
	return scan->started && scan->chain == NULL &&
		scan->chain_index >= list_length(scan->chains) &&
		(scan->own_rows == NULL || dnc_own_rows_at_end(scan->own_rows)) &&
		(scan->kept == NULL || dnc_kept_rows_at_end(scan->kept));
}

/*
 * The next row of the list into an empty slot; its datums are good until the next
 * call or the restart.  False: all was read to its end.  A scan that Append asks
 * along with others does not wait here: false may mean that dnc_scan_ask() has a
 * call that is not ready.
 */
bool
dnc_scan_next(DncScan *scan, TupleTableSlot *slot)
{
	bool		found;

	if (!scan->started)
		start_scan(scan);
	if (scan->kept && dnc_kept_rows_next(scan->kept, slot))
	{
		dnc_row_identity_number(dnc_kept_rows_given(scan->kept) - 1, &slot->tts_tid);
		return true;
	}
	found = scan->gives_total ? count_entries(scan, slot) : fetch_row(scan, slot);
	if (found && scan->kept)
		dnc_kept_rows_add(scan->kept, slot);
	return found;
}

/* Let go of the requests that are under way, and of all that depends on the values. */
static void
stop_reading(DncScan *scan)
{
	if (scan->lookups)
		dnc_lookup_cache_abandon(scan->lookups);
	scan->started = false;
	scan->counted = false;
	scan->chains = NIL;
	scan->chain = NULL;
	scan->known = NULL;
	scan->pager = NULL;
	scan->reader = NULL;
	scan->own_rows = NULL;
	MemoryContextReset(scan->chain_context);
	MemoryContextReset(scan->context);
}

/*
 * Begin anew.  A scan whose values do not vary gives the rows that it has kept, and
 * goes on from there.  Others begin with the values that the parameters have by then.
 */
void
dnc_scan_restart(DncScan *scan)
{
	if (scan->kept)
	{
		dnc_kept_rows_rewind(scan->kept);
		return;
	}
	stop_reading(scan);
}

/* End a scan: the requests that are under way, and the rows that are kept. */
void
dnc_scan_end(DncScan *scan)
{
	stop_reading(scan);
	if (scan->kept)
		dnc_kept_rows_end(scan->kept);
	scan->kept = NULL;
	if (scan->identity)
		dnc_row_identity_end(scan->identity);
}

/*
 * The requests that a scan begins with, as EXPLAIN shows them: "GET path?query",
 * with $1 for a value that is known at run time only; NIL: none is sent.  A
 * list of char *, palloc'd.
 */
List *
dnc_scan_request_texts(DncScan *scan)
{
	DncPageRequest first = dnc_request_first_page(scan->options, scan->page_size);
	List	   *texts = NIL;
	ListCell   *lc;

	foreach(lc, dnc_filter_chains(scan->options, dnc_runtime_values_planned(scan->conditions),
								  dnc_runtime_values_count(scan->conditions)))
	{
		DncRequest	request;

		dnc_request_list(scan->options, &first, ((DncChain *) lfirst(lc))->filters, &request);
		texts = lappend(texts, psprintf("%s %s", request.method, request.target));
	}
	return texts;
}

/* The scan's requests, counted. */
const DncCounters *
dnc_scan_counters(const DncScan *scan)
{
	return &scan->counters;
}

/* The scan's rows, counted. */
const DncScanCounts *
dnc_scan_counts(const DncScan *scan)
{
	return &scan->counts;
}
