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
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "list/total.h"
#include "plan/plan.h"
#include "request/request.h"
#include "scan/asking.h"
#include "scan/chain_rows.h"
#include "scan/scan.h"
#include "scan/state.h"

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
	scan->filled = list_nth(plan->fdw_private, DNC_PLAN_COUNTS);
	scan->gives_total = scan->filled != NIL;
	scan->grouped = intVal(list_nth(plan->fdw_private, DNC_PLAN_GROUPED)) != 0;
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
	scan->list_requests = floatVal(list_nth(plan->fdw_private, DNC_PLAN_LIST_REQUESTS));
	scan->rewinds = (eflags & EXEC_FLAG_REWIND) != 0;
	scan->total = -1;
	scan->counts.switched_after = -1;
	scan->context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw scan",
										  ALLOCSET_DEFAULT_SIZES);
	scan->chain_context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw chain",
												ALLOCSET_DEFAULT_SIZES);
	return scan;
}

/* The next row of the scan, into the slot; false: none, or it is still to come. */
static bool
fetch_row(DncScan *scan, TupleTableSlot *slot)
{
	if (dnc_chain_rows_next(scan, slot))
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

/* The total of the scan's only chain, as the remote tells it; with own writes, as we count. */
static int64
find_total(DncScan *scan, TupleTableSlot *slot)
{
	if (scan->own)
		return count_one_by_one(scan, slot);
	if (scan->chains->count == 0)
		return 0;
	return dnc_total(scan->options, dnc_filter_chain(scan->chains, 0), scan->page_size,
					 &scan->counters);
}

/*
 * The one row of a scan that counts, into the slot.  Its values are constants, so that a
 * scan that is run again gives what it has found.
 */
static bool
count_entries(DncScan *scan, TupleTableSlot *slot)
{
	MemoryContext before;
	ListCell   *lc;

	if (scan->counted)
		return false;
	before = MemoryContextSwitchTo(scan->context);
	if (scan->total < 0)
		scan->total = find_total(scan, slot);
	scan->counted = true;
	MemoryContextSwitchTo(before);
	if (scan->grouped && scan->total == 0)
		return false;
	foreach(lc, scan->filled)
	{
		Node	   *column = lfirst(lc);
		int			i = foreach_current_index(lc);

		slot->tts_values[i] = IsA(column, String) ? CStringGetTextDatum(strVal(column))
			: Int64GetDatum(scan->total);
		slot->tts_isnull[i] = false;
	}
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
		dnc_asking_start(scan);
	if (scan->kept && !dnc_kept_rows_at_end(scan->kept))
		return NULL;
	dnc_chain_rows_begin(scan);
	return scan->reader ? dnc_reader_ask(scan->reader) : NULL;
}

/* Were all rows given? */
bool
dnc_scan_at_end(const DncScan *scan)
{
	return scan->started && scan->chain == NULL &&
		scan->chain_index >= scan->chains->count &&
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
		dnc_asking_start(scan);
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
	scan->chains = NULL;
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
	dnc_chain_rows_keep_rest(scan);
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
	if (scan->lookups)
		dnc_lookup_cache_end(scan->lookups);
	scan->lookups = NULL;
	if (scan->identity)
		dnc_row_identity_end(scan->identity);
}

/*
 * The first requests that a scan begins with, max of them at the most, as EXPLAIN shows
 * them: "GET path?query", with $1 for a value that is known at run time only.  A list of
 * char *, palloc'd.  *count is how many there are in all; 0: nothing is sent.
 */
List *
dnc_scan_request_texts(DncScan *scan, int max, int *count)
{
	DncPageRequest first = dnc_request_first_page(scan->options, scan->page_size);
	DncChains  *chains = dnc_filter_chains(scan->options,
										   dnc_runtime_values_planned(scan->conditions),
										   dnc_runtime_values_count(scan->conditions),
										   scan->list_requests);
	List	   *texts = NIL;

	*count = chains->count;
	for (int i = 0; i < Min(chains->count, max); i++)
	{
		DncRequest	request;

		CHECK_FOR_INTERRUPTS();
		dnc_request_list(scan->options, &first, dnc_filter_chain(chains, i)->filters, &request);
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
