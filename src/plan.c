/*-------------------------------------------------------------------------
 *
 * plan.c
 *		Paths and plans for scans, costed by the requests they take.
 *
 * A request costs hundreds of milliseconds of a limited allowance, a row next
 * to nothing.  Nothing is sent while planning.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/sysattr.h"
#include "access/table.h"
#include "foreign/fdwapi.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/rel.h"

#include "compat.h"
#include "option.h"
#include "plan.h"
#include "qual.h"

/* What planning knows of a table, in RelOptInfo.fdw_private. */
typedef struct DncRelPlan
{
	DncOptions *options;
	DncColumnMap *map;
	List	   *pushed;			/* of DncPushed */
} DncRelPlan;

/* Set the expected size of a table's scan, and find out what can be pushed. */
void
dnc_plan_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	DncRelPlan *plan = palloc0(sizeof(DncRelPlan));
	Relation	relation = table_open(relid, NoLock);

	plan->options = dnc_options_load(GetForeignServerIdByRelId(relid), relid);
	plan->map = dnc_column_map(relid, RelationGetRelationName(relation),
							   RelationGetDescr(relation));
	table_close(relation, NoLock);
	plan->pushed = dnc_qual_pushable(root, rel, plan->options, plan->map);
	dnc_qual_check_search(root, rel, plan->map, plan->pushed, plan->options);
	rel->fdw_private = plan;

	if (rel->tuples < 0)
		rel->tuples = plan->options->estimated_rows;
	set_baserel_size_estimates(root, rel);
}

/*
 * How many entries the remote will send: a search is expected to find one, a
 * type as many as its clause keeps.
 */
static double
expected_entries(PlannerInfo *root, RelOptInfo *rel, const DncRelPlan *plan)
{
	double		entries = rel->tuples;
	ListCell   *lc;

	foreach(lc, plan->pushed)
	{
		DncPushed  *pushed = lfirst(lc);

		if (pushed->column == DNC_COL_IDENTIFIER_TYPE)
			entries *= clause_selectivity(root, (Node *) pushed->rinfo, rel->relid, JOIN_INNER,
										  NULL);
		else if (pushed->column != DNC_COL_SOURCE)
			return 1;
	}
	return clamp_row_est(entries);
}

/* Add the one path there is so far: the list, narrowed as far as it goes. */
void
dnc_plan_paths(PlannerInfo *root, RelOptInfo *rel)
{
	DncRelPlan *plan = rel->fdw_private;
	double		entries = expected_entries(root, rel, plan);
	double		requests = ceil(entries / plan->options->page_size);
	Cost		startup = rel->baserestrictcost.startup + plan->options->request_cost;
	Cost		total = rel->baserestrictcost.startup + requests * plan->options->request_cost +
		entries * (cpu_tuple_cost + rel->baserestrictcost.per_tuple);

	add_path(rel, (Path *) dnc_create_foreignscan_path(root, rel, rel->rows, startup, total,
													   rel->lateral_relids));
}

/* May Append read this along with other scans? */
bool
dnc_plan_is_async_capable(const ForeignPath *path)
{
	const DncRelPlan *plan = path->path.parent->fdw_private;

	return plan->options->async_capable;
}

/* The attributes that have to be decoded: output and all clauses. */
static List *
needed_attributes(RelOptInfo *rel, List *clauses, const DncColumnMap *map)
{
	Bitmapset  *attrs = NULL;
	List	   *needed = NIL;
	bool		whole_row;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &attrs);
	pull_varattnos((Node *) clauses, rel->relid, &attrs);
	whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, attrs);
	for (int i = 0; i < map->natts; i++)
	{
		if (map->columns[i] != DNC_COL_NONE &&
			(whole_row || bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, attrs)))
			needed = lappend_int(needed, i + 1);
	}
	return needed;
}

/* The plan for a path of dnc_plan_paths(). */
ForeignScan *
dnc_plan_scan(RelOptInfo *rel, List *tlist, List *clauses, Plan *outer_plan)
{
	DncRelPlan *plan = rel->fdw_private;
	List	   *columns = NIL;
	List	   *ops = NIL;
	List	   *values = NIL;
	ListCell   *lc;

	clauses = extract_actual_clauses(clauses, false);
	foreach(lc, plan->pushed)
	{
		DncPushed  *pushed = lfirst(lc);

		columns = lappend_int(columns, pushed->column);
		ops = lappend_int(ops, pushed->op);
		values = lappend(values, pushed->value);
	}
	return make_foreignscan(tlist, clauses, rel->relid, values,
							list_make3(columns, ops, needed_attributes(rel, clauses, plan->map)),
							NIL, NIL, outer_plan);
}
