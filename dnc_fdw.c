/*-------------------------------------------------------------------------
 *
 * dnc_fdw.c
 *		The front door: what PostgreSQL calls, handed on to the modules of
 *		src/.
 *
 * dnc_fdw makes the Do-Not-Contact lists of outreach services foreign tables.
 * Whoever is on such a list must not be contacted.  So a list that was not
 * read to its end is an error, never a shorter result; nothing is removed by
 * accident; nothing added is lost silently.
 *
 * Copyright (c) 2026, the dnc_fdw developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "utils/guc.h"
#include "utils/rel.h"

#include "async.h"
#include "compat.h"
#include "import.h"
#include "modify.h"
#include "plan.h"
#include "scan.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(dnc_fdw_handler);

void		_PG_init(void);

/* Keep the prefix of our settings to ourselves, so that a misspelt one is noticed. */
void
_PG_init(void)
{
	MarkGUCPrefixReserved("dnc_fdw");
}

static void
dncGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	dnc_plan_rel_size(root, baserel, foreigntableid);
}

static void
dncGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	dnc_plan_paths(root, baserel);
}

static ForeignScan *
dncGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid,
				  ForeignPath *best_path, List *tlist, List *scan_clauses, Plan *outer_plan)
{
	return dnc_plan_scan(baserel, tlist, scan_clauses, outer_plan);
}

static void
dncBeginForeignScan(ForeignScanState *node, int eflags)
{
	node->fdw_state = dnc_scan_begin(node);
}

static TupleTableSlot *
dncIterateForeignScan(ForeignScanState *node)
{
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	ExecClearTuple(slot);
	if (dnc_scan_next(node->fdw_state, slot))
		ExecStoreVirtualTuple(slot);
	return slot;
}

static void
dncReScanForeignScan(ForeignScanState *node)
{
	dnc_scan_restart(node->fdw_state);
}

/* Requests that are still under way end here, not with the transaction. */
static void
dncEndForeignScan(ForeignScanState *node)
{
	dnc_scan_restart(node->fdw_state);
}

static void
dncExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	DncScan    *scan = node->fdw_state;
	const DncTally *tally = dnc_scan_tally(scan);
	char	   *request = dnc_scan_request_text(scan);

	ExplainPropertyText("Remote Request", request ? request : "none (nothing can match)", es);
	if (!es->analyze)
		return;
	ExplainPropertyInteger("Requests", NULL, tally->requests, es);
	ExplainPropertyInteger("Rows Fetched", NULL, dnc_scan_rows(scan), es);
	ExplainPropertyInteger("Bytes Received", NULL, tally->bytes_received, es);
	if (tally->retries > 0 || es->format != EXPLAIN_FORMAT_TEXT)
	{
		ExplainPropertyInteger("Retries", NULL, tally->retries, es);
		ExplainPropertyFloat("Time Waited", "ms", tally->wait_ms, 3, es);
	}
}

static bool
dncIsForeignPathAsyncCapable(ForeignPath *path)
{
	return dnc_plan_is_async_capable(path);
}

static void
dncForeignAsyncRequest(AsyncRequest *areq)
{
	dnc_async_request(areq);
}

static void
dncForeignAsyncConfigureWait(AsyncRequest *areq)
{
	dnc_async_wait(areq);
}

static int
dncIsForeignRelUpdatable(Relation rel)
{
	return dnc_modify_supported(rel);
}

static void
dncAddForeignUpdateTargets(PlannerInfo *root, Index rtindex, RangeTblEntry *target_rte,
						   Relation target_relation)
{
	dnc_modify_add_row_identity(root, rtindex);
}

static void
dncBeginForeignModify(ModifyTableState *mtstate, ResultRelInfo *rinfo, List *fdw_private,
					  int subplan_index, int eflags)
{
	ModifyTable *plan = castNode(ModifyTable, mtstate->ps.plan);
	List	   *returning = plan->returningLists == NIL ? NIL
		: list_nth(plan->returningLists, subplan_index);

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	rinfo->ri_FdwState = dnc_modify_begin(rinfo, mtstate->ps.state,
										  plan->operation == CMD_INSERT
										  ? DNC_ACTION_ADD : DNC_ACTION_REMOVE,
										  returning, plan->onConflictAction == ONCONFLICT_NOTHING,
										  outerPlan(plan));
}

static TupleTableSlot *
dncExecForeignInsert(EState *estate, ResultRelInfo *rinfo, TupleTableSlot *slot,
					 TupleTableSlot *planSlot)
{
	return dnc_modify_insert(rinfo->ri_FdwState, slot);
}

static TupleTableSlot *
dncExecForeignDelete(EState *estate, ResultRelInfo *rinfo, TupleTableSlot *slot,
					 TupleTableSlot *planSlot)
{
	return dnc_modify_delete(rinfo->ri_FdwState, slot, planSlot);
}

/* COPY, and rows that are routed to a partition. */
static void
dncBeginForeignInsert(ModifyTableState *mtstate, ResultRelInfo *rinfo)
{
	ModifyTable *plan = (ModifyTable *) mtstate->ps.plan;	/* NULL: COPY */

	rinfo->ri_FdwState = dnc_modify_begin(rinfo, mtstate->ps.state, DNC_ACTION_ADD,
										  rinfo->ri_returningList,
										  plan && plan->onConflictAction == ONCONFLICT_NOTHING,
										  NULL);
}

static void
dncExplainForeignModify(ModifyTableState *mtstate, ResultRelInfo *rinfo, List *fdw_private,
						int subplan_index, ExplainState *es)
{
	ModifyTable *plan = castNode(ModifyTable, mtstate->ps.plan);
	int			batch;
	char	   *request = dnc_modify_request_text(rinfo->ri_RelationDesc,
												  plan->operation == CMD_INSERT
												  ? DNC_ACTION_ADD : DNC_ACTION_REMOVE,
												  &batch);

	ExplainPropertyText("Remote Request", request, es);
	ExplainPropertyInteger("Entries per Request", NULL, batch, es);
}

static List *
dncImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid)
{
	return dnc_import_schema(stmt, serverOid);
}

/* dnc_fdw_handler() returns fdw_handler */
Datum
dnc_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = dncGetForeignRelSize;
	routine->GetForeignPaths = dncGetForeignPaths;
	routine->GetForeignPlan = dncGetForeignPlan;
	routine->BeginForeignScan = dncBeginForeignScan;
	routine->IterateForeignScan = dncIterateForeignScan;
	routine->ReScanForeignScan = dncReScanForeignScan;
	routine->EndForeignScan = dncEndForeignScan;
	routine->ExplainForeignScan = dncExplainForeignScan;

	/* Nothing is registered with Append's wait, so that no event is ever due. */
	routine->IsForeignPathAsyncCapable = dncIsForeignPathAsyncCapable;
	routine->ForeignAsyncRequest = dncForeignAsyncRequest;
	routine->ForeignAsyncConfigureWait = dncForeignAsyncConfigureWait;

	routine->IsForeignRelUpdatable = dncIsForeignRelUpdatable;
	routine->AddForeignUpdateTargets = dncAddForeignUpdateTargets;
	routine->BeginForeignModify = dncBeginForeignModify;
	routine->ExecForeignInsert = dncExecForeignInsert;
	routine->ExecForeignDelete = dncExecForeignDelete;
	routine->BeginForeignInsert = dncBeginForeignInsert;
	routine->ExplainForeignModify = dncExplainForeignModify;

	routine->ImportForeignSchema = dncImportForeignSchema;
	PG_RETURN_POINTER(routine);
}
