/*-------------------------------------------------------------------------
 *
 * scan.c
 *		A foreign scan at run time: the pull loop from plan to rows.
 *
 * A scan starts late: not before its first row is asked for are its values
 * evaluated, the token looked up and a request sent, so that EXPLAIN and a
 * branch of the plan that is not run cost nothing.
 *
 * Nothing is asked twice in a statement.  Where a scan can be run again with
 * other values, what each of them has found is remembered; where it is run
 * again with the same, its rows are kept.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "config/credential.h"
#include "list/decode.h"
#include "list/filter.h"
#include "list/prefetch.h"
#include "plan/plan.h"
#include "plan/runtime_values.h"
#include "request/request.h"
#include "scan/lookup_cache.h"
#include "scan/reader.h"
#include "scan/scan.h"
#include "write/overlay.h"

struct DncScan
{
	ForeignScanState *node;
	Oid			userid;			/* whose token is used: fixed when the query begins */
	DncOptions *options;		/* without a token until it is needed */
	double		limit;			/* rows that will be enough; 0: not known */
	bool		gives_total;	/* gives the list's total, and no entries */
	bool		counted;		/* has given it */
	const char *identifier;		/* the only one that is asked for; NULL: others may be */
	const char *counted_type;	/* the only one that it counts; NULL: all */
	int			full_page_size; /* as the options say */
	TupleDesc	desc;			/* the table's; where it counts, of its one row */
	DncColumnMap *map;			/* NULL where it counts */
	Bitmapset  *needed;			/* attribute numbers */
	DncRuntimeValues *conditions;

	/* What is kept for a scan that is run again. */
	bool		may_rerun;
	Tuplestorestate *store;		/* the rows so far, of one that does not vary */
	TupleTableSlot *store_slot; /* of the kind that a tuplestore gives */
	DncLookupCache *lookups;		/* of one that varies */

	/* What is asked with the values of now; in context. */
	MemoryContext context;
	bool		started;
	List	   *chains;
	int			chain_index;	/* of the next one */
	DncPrefetch  *pagers;			/* of the one that is read and of some that come next */

	/* The chain that is being read; in chain_context. */
	MemoryContext chain_context;
	DncChain   *chain;			/* NULL: none */
	DncLookup  *known;			/* its rows, if it is known already */
	DncPager   *pager;			/* NULL: its rows are known */
	DncReader  *reader;			/* likewise */

	/* What the transaction has written itself, and not sent yet. */
	bool		own_known;		/* own is what it is */
	DncOverlay	   *own;			/* NULL: nothing */
	int			own_chain;		/* whose additions are being given */
	DncDecoder *own_decoder;	/* NULL: to be made for that chain */

	DncCounters	counters;			/* over all this scan has read */
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
	scan->full_page_size = scan->options->page_size;
	if (page_size > 0)
		scan->options->page_size = page_size;
	scan->gives_total = intVal(list_nth(plan->fdw_private, DNC_PLAN_COUNTS)) != 0;
	scan->desc = node->ss.ss_ScanTupleSlot->tts_tupleDescriptor;
	if (!scan->gives_total)
		scan->map = dnc_column_map(relid, RelationGetRelationName(relation),
								   RelationGetDescr(relation));
	foreach(lc, (List *) list_nth(plan->fdw_private, DNC_PLAN_NEEDED))
		scan->needed = bms_add_member(scan->needed, lfirst_int(lc));
	scan->limit = floatVal(list_nth(plan->fdw_private, DNC_PLAN_LIMIT));
	scan->conditions = dnc_runtime_values_make(plan, &node->ss.ps);
	scan->may_rerun = !scan->gives_total &&
		((eflags & EXEC_FLAG_REWIND) || !bms_is_empty(plan->scan.plan.allParam));
	scan->context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw scan",
										  ALLOCSET_DEFAULT_SIZES);
	scan->chain_context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw chain",
												ALLOCSET_DEFAULT_SIZES);
	return scan;
}

/* Find out what is to be asked for the values of now. */
static void
start_scan(DncScan *scan)
{
	MemoryContext before = MemoryContextSwitchTo(scan->context);
	DncCondition *conditions;

	scan->started = true;
	scan->pagers = dnc_prefetch_make(scan->options, &scan->counters, scan->limit);
	scan->own_chain = 0;
	scan->own_decoder = NULL;
	conditions = dnc_runtime_values_evaluate(scan->conditions, scan->node->ss.ps.ps_ExprContext);
	scan->chains = dnc_filter_chains(scan->options, conditions,
									 dnc_runtime_values_count(scan->conditions));
	scan->identifier = dnc_runtime_values_only_value(scan->conditions, conditions, DNC_COL_IDENTIFIER);
	if (scan->gives_total)
		scan->counted_type = dnc_runtime_values_only_value(scan->conditions, conditions,
														   DNC_COL_IDENTIFIER_TYPE);
	scan->chain_index = 0;
	MemoryContextSwitchTo(scan->node->ss.ps.state->es_query_cxt);
	if (scan->chains && scan->options->token == NULL)
		dnc_credential_add(scan->options, scan->userid);
	if (scan->chains && !scan->own_known)
	{
		scan->own = dnc_overlay_begin(scan->options,
									  scan->node->ss.ps.state->es_snapshot->curcid);
		scan->own_known = true;
	}
	if (scan->own)
	{
		scan->options->page_size = scan->full_page_size;	/* a LIMIT's may all be hidden */
		MemoryContextSwitchTo(scan->context);
		scan->chains = dnc_filter_chains_by_identity(scan->options, conditions,
													 dnc_runtime_values_count(scan->conditions));
		MemoryContextSwitchTo(scan->node->ss.ps.state->es_query_cxt);
	}
	if (scan->may_rerun && dnc_runtime_values_vary(scan->conditions) && scan->lookups == NULL)
		scan->lookups = dnc_lookup_cache_make(work_mem * (Size) 1024);
	if (scan->may_rerun && !dnc_runtime_values_vary(scan->conditions) && scan->store == NULL)
	{
		scan->store = tuplestore_begin_heap(true, false, work_mem);
		scan->store_slot =
			ExecInitExtraTupleSlot(scan->node->ss.ps.state,
								   scan->desc,
								   &TTSOpsMinimalTuple);
	}
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

		if (scan->lookups && dnc_lookup_cache_find(scan->lookups, chain->key))
			continue;
		if (!dnc_prefetch_ask_ahead(scan->pagers, chain))
			break;
	}
}

/* Begin with the next chain; false: there is none. */
static bool
begin_chain(DncScan *scan)
{
	DncReading	reading = {.own = scan->own, .counted_type = scan->counted_type};
	MemoryContext before;

	if (scan->chain_index >= list_length(scan->chains))
		return false;
	MemoryContextReset(scan->chain_context);
	scan->chain = list_nth(scan->chains, scan->chain_index++);
	scan->pager = NULL;
	scan->reader = NULL;
	scan->known = scan->lookups ? dnc_lookup_cache_find(scan->lookups, scan->chain->key) : NULL;
	if (scan->known)
	{
		scan->counts.remembered++;
		return true;
	}
	scan->pager = dnc_prefetch_open(scan->pagers, scan->chain);
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
	dnc_prefetch_close(scan->pagers, scan->chain);
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

/* The next row that our own transaction has added, into the slot. */
static bool
fetch_own_row(DncScan *scan, TupleTableSlot *slot)
{
	while (scan->own && scan->own_chain < list_length(scan->chains))
	{
		const DncChain *chain = list_nth(scan->chains, scan->own_chain);
		const char *texts[DNC_NCOLUMNS];
		const DncWrite *addition;

		if (scan->own_decoder == NULL)
		{
			MemoryContext before = MemoryContextSwitchTo(scan->context);

			scan->own_decoder = dnc_decoder_make(scan->options,
												 scan->desc,
												 scan->map, scan->needed, chain->search);
			MemoryContextSwitchTo(before);
			dnc_overlay_rewind(scan->own);
		}
		addition = dnc_overlay_next(scan->own, chain->search, scan->identifier, scan->counted_type);
		if (addition)
		{
			dnc_write_texts(addition, texts);
			dnc_decoder_texts(scan->own_decoder, texts, slot->tts_values, slot->tts_isnull);
			ExecStoreVirtualTuple(slot);
			scan->counts.waiting++;
			return true;
		}
		scan->own_decoder = NULL;
		scan->own_chain = chain->search ? scan->own_chain + 1 : list_length(scan->chains);
	}
	return false;
}

/* The next row of the scan, into the slot; false: none, or it is still to come. */
static bool
fetch_row(DncScan *scan, TupleTableSlot *slot)
{
	if (fetch_remote_row(scan, slot))
		return true;
	/* What was added is known when all of the list has been seen. */
	return scan->chain == NULL && fetch_own_row(scan, slot);
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

/* The total that the first page tells of the list. */
static int64
ask_total(DncScan *scan)
{
	const DncChain *chain = linitial(scan->chains);
	DncPager   *pager = dnc_pager_begin(scan->options, chain->filters, &scan->counters);
	ErrorContextCallback context;
	DncPage		page;

	context.callback = dnc_pager_describe;
	context.arg = pager;
	context.previous = error_context_stack;
	error_context_stack = &context;
	(void) dnc_pager_next(pager, &page);
	error_context_stack = context.previous;
	return dnc_pager_total(pager);
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
		total = ask_total(scan);
	scan->counted = true;
	MemoryContextSwitchTo(before);
	slot->tts_values[0] = Int64GetDatum(total);
	slot->tts_isnull[0] = false;
	ExecStoreVirtualTuple(slot);
	return true;
}

/*
 * What the next row has to wait for: the call for the next page, which this
 * sends if need be; NULL: nothing.
 */
DncCall *
dnc_scan_ask(DncScan *scan)
{
	if (!scan->started)
		start_scan(scan);
	if (scan->store && !tuplestore_ateof(scan->store))
		return NULL;
	if (scan->chain == NULL)
		(void) begin_chain(scan);
	return scan->reader ? dnc_reader_ask(scan->reader) : NULL;
}

/* Has all been given that there is? */
bool
dnc_scan_at_end(const DncScan *scan)
{
	return scan->started && scan->chain == NULL &&
		scan->chain_index >= list_length(scan->chains) &&
		(scan->own == NULL || scan->own_chain >= list_length(scan->chains)) &&
		(scan->store == NULL || tuplestore_ateof(scan->store));
}

/*
 * The next row of the list into an empty slot, datums in the current context;
 * false: all was read to its end.  A scan that Append asks along with others
 * does not wait here: false may mean that dnc_scan_ask() has a call that is not
 * ready.
 */
bool
dnc_scan_next(DncScan *scan, TupleTableSlot *slot)
{
	bool		found;

	if (!scan->started)
		start_scan(scan);
	if (scan->store && !tuplestore_ateof(scan->store) &&
		tuplestore_gettupleslot(scan->store, true, false, scan->store_slot))
	{
		ExecCopySlot(slot, scan->store_slot);
		return true;
	}
	found = scan->gives_total ? count_entries(scan, slot) : fetch_row(scan, slot);
	if (found && scan->store)
		tuplestore_puttupleslot(scan->store, slot);
	return found;
}

/* Let go of what is under way. */
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
	MemoryContextReset(scan->chain_context);
	MemoryContextReset(scan->context);
}

/*
 * Begin anew.  One that does not vary reads what it has, and goes on from
 * there; otherwise with the values that the parameters have by then.
 */
void
dnc_scan_restart(DncScan *scan)
{
	if (scan->store)
	{
		tuplestore_rescan(scan->store);
		return;
	}
	stop_reading(scan);
}

/* End a scan: what is under way, and what is kept. */
void
dnc_scan_end(DncScan *scan)
{
	stop_reading(scan);
	if (scan->store)
		tuplestore_end(scan->store);
	scan->store = NULL;
}

/*
 * The requests that a scan begins with, as EXPLAIN shows them: "GET path?query",
 * with $1 for a value that is known at run time only; NIL: none is sent.  A
 * list of char *, palloc'd.
 */
List *
dnc_scan_request_texts(DncScan *scan)
{
	const DncListCall *list = &scan->options->provider->list;
	List	   *texts = NIL;
	ListCell   *lc;

	foreach(lc, dnc_filter_chains(scan->options, dnc_runtime_values_planned(scan->conditions),
								  dnc_runtime_values_count(scan->conditions)))
		texts = lappend(texts,
						psprintf("GET %s",
								 dnc_request_list_target(scan->options, scan->options->page_size,
														 ((DncChain *) lfirst(lc))->filters,
														 list->numbers_first
														 ? list->pagings[0]->parameter : NULL,
														 "1")));
	return texts;
}

/* The requests that one run of a scan is expected to take, as planned. */
double
dnc_scan_expected_requests(const DncScan *scan)
{
	ForeignScan *plan = castNode(ForeignScan, scan->node->ss.ps.plan);

	return floatVal(list_nth(plan->fdw_private, DNC_PLAN_REQUESTS));
}

/* The table whose entries are counted; InvalidOid: they are read. */
Oid
dnc_scan_counted_table(const DncScan *scan)
{
	ForeignScan *plan = castNode(ForeignScan, scan->node->ss.ps.plan);

	return scan->gives_total ? linitial_oid(list_nth(plan->fdw_private, DNC_PLAN_TABLE))
		: InvalidOid;
}

/* What the scan's requests came to. */
const DncCounters *
dnc_scan_tally(const DncScan *scan)
{
	return &scan->counters;
}

/* What the scan has got. */
const DncScanCounts *
dnc_scan_counts(const DncScan *scan)
{
	return &scan->counts;
}
