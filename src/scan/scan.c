/*-------------------------------------------------------------------------
 *
 * scan.c
 *		A foreign scan at run time: the pull loop from plan to rows.
 *
 * A scan starts late.  We evaluate its values, look up the token and send a request only
 * when the executor wants the first row.  So EXPLAIN, and a branch of the plan that does
 * not run, cost nothing.
 *
 * In one statement, we avoid asking for the same thing twice.  If a scan can run again
 * with other values, we remember the rows for each value.  If it can run again with the
 * same values, we keep its rows, on disk if they exceed work_mem.
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
#include "plan/plan.h"
#include "request/request.h"
#include "scan/asking.h"
#include "scan/chain_rows.h"
#include "scan/counting.h"
#include "scan/scan.h"
#include "scan/state.h"

/*
 * Refuse (40001) to compare a row anew that another session has changed while the statement ran.
 * PostgreSQL (EvalPlanQual) would not ask us again: it compares the new values only with the entries
 * that the old ones have met.  So NOT EXISTS would let somebody pass who is listed.
 */
static void
refuse_recheck(const ForeignScanState *node, const DncOptions *options)
{
	const EPQState *recheck = node->ss.ps.state->es_epq_active;
	Index		relid = castNode(ForeignScan, node->ss.ps.plan)->scan.scanrelid;

	if (recheck == NULL || recheck->relsubs_rowmark == NULL || relid == 0 ||
		recheck->relsubs_rowmark[relid - 1] == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("cannot compare a changed row with the list of server \"%s\"", options->server_name),
			 errdetail("Another session has changed the row since this statement began. PostgreSQL would compare its new values only with the entries that its old values have met."),
			 errhint("Run the statement again. It fails less often if it locks the rows first, in a MATERIALIZED CTE with FOR UPDATE.")));
}

/*
 * Set up a scan from its plan; sends nothing.  palloc'd in the current context, which must be
 * the executor's.  Raises the error of refuse_recheck().
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
	refuse_recheck(node, scan->options);
	scan->page_size = page_size > 0 ? page_size : scan->options->page_size;
	scan->filled = list_nth(plan->fdw_private, DNC_PLAN_COUNTS);
	scan->gives_total = scan->filled != NIL;
	scan->types = list_nth(plan->fdw_private, DNC_PLAN_TYPES);
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
	scan->may_be_short = intVal(list_nth(plan->fdw_private, DNC_PLAN_MAY_BE_SHORT)) != 0;
	scan->rewinds = (eflags & EXEC_FLAG_REWIND) != 0;
	scan->counts.switched_after = -1;
	scan->context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw scan",
										  ALLOCSET_DEFAULT_SIZES);
	scan->chain_context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw chain",
												ALLOCSET_DEFAULT_SIZES);
	return scan;
}

/*
 * The call that the next row waits for: that of the next page, which we send if needed; NULL:
 * there is nothing to wait for.
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
 * Put the next row of the list into an empty slot; its datums are valid until the next call or
 * the restart.  False: all was read to its end.  A scan that Append asks together with others
 * does not wait here: false may mean that the call of dnc_scan_ask() is not ready.
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
	found = scan->gives_total ? dnc_counting_next(scan, slot) : dnc_chain_rows_fetch(scan, slot);
	if (found && scan->kept)
		dnc_kept_rows_add(scan->kept, slot);
	return found;
}

/* End the requests under way, and free everything that depends on the values. */
static void
stop_reading(DncScan *scan)
{
	if (scan->lookups)
		dnc_lookup_cache_abandon(scan->lookups);
	scan->started = false;
	scan->given = 0;
	scan->chains = NULL;
	scan->by_type = NULL;
	scan->chain = NULL;
	scan->known = NULL;
	scan->pager = NULL;
	scan->reader = NULL;
	scan->own_rows = NULL;
	MemoryContextReset(scan->chain_context);
	MemoryContextReset(scan->context);
}

/*
 * Begin again.  A scan whose values do not vary gives the kept rows, and goes on from there.
 * Other scans begin with the new values of the parameters.
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

/* End a scan with its requests under way, and free its kept rows. */
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

/* Add the first requests of some chains as texts to a list, until it has max texts. */
static List *
add_request_texts(const DncScan *scan, const DncChains *chains, int max, List *texts)
{
	DncPageRequest first = dnc_request_first_page(scan->options, scan->page_size);

	for (int i = 0; i < chains->count && list_length(texts) < max; i++)
	{
		DncRequest	request;

		CHECK_FOR_INTERRUPTS();
		dnc_request_list(scan->options, &first, dnc_filter_chain(chains, i)->filters, &request);
		texts = lappend(texts, psprintf("%s %s", request.method, request.target));
	}
	return texts;
}

/*
 * The first requests of a scan, at most max of them, as EXPLAIN shows them: "GET path?query",
 * with $1 for a value that is only known at run time.  A list of char *, palloc'd.  *count is
 * the number of all these requests; 0: the scan sends nothing.
 */
List *
dnc_scan_request_texts(DncScan *scan, int max, int *count)
{
	DncCondition *conditions = dnc_runtime_values_planned(scan->conditions);
	int			nconditions = dnc_runtime_values_count(scan->conditions);
	DncChains  *chains = dnc_filter_chains(scan->options, conditions, nconditions,
										   scan->list_requests);
	DncChains  *look = dnc_asking_may_be_short(scan)
		? dnc_filter_chains_of_any_type(chains, conditions, nconditions) : NULL;
	List	   *texts = NIL;
	ListCell   *lc;

	*count = chains->count;
	foreach(lc, scan->types)
	{
		*count += 1;
		texts = add_request_texts(scan, dnc_counting_type_chains(scan, strVal(lfirst(lc))), max, texts);
	}
	if (look)
	{
		*count += 1;
		texts = add_request_texts(scan, look, max, texts);
	}
	return add_request_texts(scan, chains, max, texts);
}

/* The counts of the scan's requests. */
const DncCounters *
dnc_scan_counters(const DncScan *scan)
{
	return &scan->counters;
}

/* The counts of the scan's rows. */
const DncScanCounts *
dnc_scan_counts(const DncScan *scan)
{
	return &scan->counts;
}
