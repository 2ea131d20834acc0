/*-------------------------------------------------------------------------
 *
 * dnc_fdw.c
 *		The front door: PostgreSQL calls these functions, and they call the modules of src/.
 *
 * dnc_fdw makes the Do-Not-Contact lists of outreach services foreign tables.  You must
 * not contact anybody who is on such a list.  So a list that was not read to its end is
 * an error, never a shorter result; nothing is removed by accident; no addition is lost
 * silently.
 *
 * Copyright (c) 2026, the dnc_fdw developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "utils/rel.h"

#include "compat.h"
#include "mirror/statistics.h"
#include "plan/plan.h"
#include "queue/enqueue.h"
#include "request/progress.h"
#include "request/rate_limit.h"
#include "request/totals.h"
#include "scan/analyze.h"
#include "scan/async.h"
#include "scan/explain.h"
#include "scan/scan.h"
#include "settings.h"
#include "sql/import.h"
#include "write/delete_by_key.h"
#include "worker/launcher.h"
#include "write/modify.h"

DNC_MODULE_MAGIC("dnc_fdw");

PG_FUNCTION_INFO_V1(dnc_fdw_handler);

void		_PG_init(void);

/* Set up our settings and, if we are preloaded, our shared memory and background processes. */
void
_PG_init(void)
{
	dnc_settings_define();
	dnc_queue_init();
	dnc_rate_limit_init();
	dnc_totals_init();
	dnc_progress_init();
	dnc_launcher_init();
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
	if (IS_UPPER_REL(baserel))
		return dnc_plan_count_scan(best_path, tlist);
	return dnc_plan_scan(root, baserel, best_path, tlist, scan_clauses, outer_plan);
}

static void
dncGetForeignUpperPaths(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input_rel,
						RelOptInfo *output_rel, void *extra)
{
	if (stage == UPPERREL_GROUP_AGG)
		dnc_plan_count(root, input_rel, output_rel);
}

static void
dncBeginForeignScan(ForeignScanState *node, int eflags)
{
	node->fdw_state = dnc_scan_begin(node, eflags);
}

static TupleTableSlot *
dncIterateForeignScan(ForeignScanState *node)
{
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	ExecClearTuple(slot);
	(void) dnc_scan_next(node->fdw_state, slot);
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
	dnc_scan_end(node->fdw_state);
}

static void
dncExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	dnc_explain_scan(node, es);
}

static bool
dncAnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc *func, BlockNumber *totalpages)
{
	*func = dnc_statistics_sample;
	if (dnc_statistics_prepare(relation, totalpages))
		return true;
	*func = dnc_analyze_sample;
	return dnc_analyze_prepare(relation, totalpages);
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
	if (root->parse->commandType == CMD_UPDATE)
		dnc_modify_refuse_update(target_relation);
	dnc_modify_add_row_identity(root, rtindex, target_relation);
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
										  returning, plan);
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

/* For COPY, and for rows that are routed to a partition. */
static void
dncBeginForeignInsert(ModifyTableState *mtstate, ResultRelInfo *rinfo)
{
	ModifyTable *plan = (ModifyTable *) mtstate->ps.plan;	/* NULL: COPY */

	rinfo->ri_FdwState = dnc_modify_begin(rinfo, mtstate->ps.state, DNC_ACTION_ADD,
										  rinfo->ri_returningList, plan);
}

static void
dncEndForeignModify(EState *estate, ResultRelInfo *rinfo)
{
	if (rinfo->ri_FdwState)
		dnc_modify_end(rinfo->ri_FdwState);
}

static void
dncExplainForeignModify(ModifyTableState *mtstate, ResultRelInfo *rinfo, List *fdw_private,
						int subplan_index, ExplainState *es)
{
	ModifyTable *plan = castNode(ModifyTable, mtstate->ps.plan);

	dnc_explain_modify(rinfo->ri_RelationDesc,
					   plan->operation == CMD_INSERT ? DNC_ACTION_ADD : DNC_ACTION_REMOVE, false,
					   es);
}

static bool
dncPlanDirectModify(PlannerInfo *root, ModifyTable *plan, Index resultRelation, int subplan_index)
{
	return dnc_delete_by_key_plan(root, plan, resultRelation);
}

static void
dncBeginDirectModify(ForeignScanState *node, int eflags)
{
	if (!(eflags & EXEC_FLAG_EXPLAIN_ONLY))
		node->fdw_state = dnc_delete_by_key_begin(node);
}

/* The first call does all the work; there are no rows to return. */
static TupleTableSlot *
dncIterateDirectModify(ForeignScanState *node)
{
	dnc_delete_by_key_run(node->fdw_state);
	return ExecClearTuple(node->ss.ss_ScanTupleSlot);
}

static void
dncEndDirectModify(ForeignScanState *node)
{
}

static void
dncExplainDirectModify(ForeignScanState *node, ExplainState *es)
{
	dnc_explain_modify(node->resultRelInfo->ri_RelationDesc, DNC_ACTION_REMOVE, true, es);
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
	routine->GetForeignUpperPaths = dncGetForeignUpperPaths;
	routine->BeginForeignScan = dncBeginForeignScan;
	routine->IterateForeignScan = dncIterateForeignScan;
	routine->ReScanForeignScan = dncReScanForeignScan;
	routine->EndForeignScan = dncEndForeignScan;
	routine->ExplainForeignScan = dncExplainForeignScan;

	routine->AnalyzeForeignTable = dncAnalyzeForeignTable;

	/* We register nothing with Append's wait, so no event is ever due. */
	routine->IsForeignPathAsyncCapable = dncIsForeignPathAsyncCapable;
	routine->ForeignAsyncRequest = dncForeignAsyncRequest;
	routine->ForeignAsyncConfigureWait = dncForeignAsyncConfigureWait;

	routine->IsForeignRelUpdatable = dncIsForeignRelUpdatable;
	routine->AddForeignUpdateTargets = dncAddForeignUpdateTargets;
	routine->BeginForeignModify = dncBeginForeignModify;
	routine->ExecForeignInsert = dncExecForeignInsert;
	routine->ExecForeignDelete = dncExecForeignDelete;
	routine->EndForeignModify = dncEndForeignModify;
	routine->BeginForeignInsert = dncBeginForeignInsert;
	routine->EndForeignInsert = dncEndForeignModify;
	routine->ExplainForeignModify = dncExplainForeignModify;

	routine->PlanDirectModify = dncPlanDirectModify;
	routine->BeginDirectModify = dncBeginDirectModify;
	routine->IterateDirectModify = dncIterateDirectModify;
	routine->EndDirectModify = dncEndDirectModify;
	routine->ExplainDirectModify = dncExplainDirectModify;

	routine->ImportForeignSchema = dncImportForeignSchema;
	PG_RETURN_POINTER(routine);
}
