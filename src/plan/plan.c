/*-------------------------------------------------------------------------
 *
 * plan.c
 *		Paths and plans for scans, costed by the requests that they take.
 *
 * A request takes hundreds of milliseconds and part of a limited allowance; a row costs
 * almost nothing.  So we compare requests: the pages of the list, or a lookup for each
 * value.  We send nothing while planning.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/heap.h"
#include "foreign/fdwapi.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "optimizer/tlist.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"
#include "config/option.h"
#include "plan/bound.h"
#include "plan/count_pushdown.h"
#include "plan/estimate.h"
#include "plan/needed.h"
#include "plan/plan.h"
#include "plan/qual.h"
#include "plan/search_column.h"

/* The facts about a table that we need for planning, in RelOptInfo.fdw_private. */
typedef struct DncRelPlan
{
	Oid			relid;
	const DncOptions *options;
	DncColumnMap *map;
	List	   *bound;			/* the result of dnc_bound_clauses() */
	bool		reads_search;	/* the query reads the column search */
	bool		analyzed;		/* there are statistics */
} DncRelPlan;

/* The members of fdw_private in a path. */
typedef enum DncPathPrivate
{
	DNC_PATH_LOOKUPS,			/* Integer: 1 if the scan looks values up, 0 if it reads the list */
	DNC_PATH_REQUESTS			/* Float: expected requests of one scan */
} DncPathPrivate;

/* Those members of a list of DncPushed that a scan with or without lookups sends. */
static List *
sent_by(List *pushed, bool lookups)
{
	List	   *sent = NIL;
	ListCell   *lc;

	foreach(lc, pushed)
	{
		if (lookups || !dnc_estimate_is_lookup(lfirst(lc)))
			sent = lappend(sent, lfirst(lc));
	}
	return sent;
}

/* Does the query delete from a table? */
static bool
is_deleted_from(PlannerInfo *root, RelOptInfo *rel)
{
	return root->parse->commandType == CMD_DELETE &&
		bms_is_member((int) rel->relid, root->all_result_relids);
}

/*
 * The conditions of some clauses that go into the requests of a scan: a list of DncPushed.  A
 * DELETE must see all entries that one removal would take, so we do not send conditions on
 * columns that distinguish these entries.
 */
static List *
pushable(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	const DncRelPlan *plan = rel->fdw_private;
	List	   *pushed = dnc_qual_pushable(root, rel, clauses, plan->options, plan->map);
	ListCell   *lc;

	if (!is_deleted_from(root, rel))
		return pushed;
	foreach(lc, pushed)
	{
		if (dnc_provider_removes_by_part(plan->options->provider,
										 ((DncPushed *) lfirst(lc))->column))
			pushed = foreach_delete_current(pushed, lc);
	}
	return pushed;
}

/* Does a clause of a table, or a join with it, use one of its system columns? */
static bool
compares_system_column(PlannerInfo *root, RelOptInfo *rel, AttrNumber attnum)
{
	List	   *clauses = list_concat_copy(rel->baserestrictinfo, rel->joininfo);
	Bitmapset  *attrs = NULL;
	Index		relid = rel->relid;
	Relids		others;
	ListCell   *lc;

	foreach(lc, clauses)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &attrs);
	if (bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, attrs))
		return true;

	/* Only the parent of a partition knows about joins on equality. */
	while (root->append_rel_array && root->append_rel_array[relid])
		relid = root->append_rel_array[relid]->parent_relid;
	rel = find_base_rel(root, relid);
	others = rel->min_attr > attnum ? NULL : rel->attr_needed[attnum - rel->min_attr];
	return !bms_is_empty(bms_del_member(bms_copy(others), 0));
}

/*
 * Refuse queries that use a system column other than tableoid (0A000).  Entries have no system
 * columns: all rows would have the same ctid, and DELETE ... WHERE ctid = would remove the
 * whole list.  postgres_fdw sends just that from another server, for a condition that it does
 * not pass on.
 *
 * A DELETE's own ctid is in the output of its table: row_identity.c says why.
 *
 * If rows are locked, ctid may be in the output: the planner itself asks for it if other
 * partitions are ordinary tables, and postgres_fdw asks for it for an estimate.  ctid may also
 * be in the output of MERGE, which PostgreSQL itself refuses for foreign tables.
 */
static void
refuse_system_columns(PlannerInfo *root, RelOptInfo *rel, Relation relation)
{
	Bitmapset  *output = NULL;

	if (root->rowMarks == NIL && root->parse->commandType != CMD_MERGE)
		pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &output);
	if (is_deleted_from(root, rel))
		output = bms_del_member(output, SelfItemPointerAttributeNumber -
								FirstLowInvalidHeapAttributeNumber);
	for (AttrNumber attnum = FirstLowInvalidHeapAttributeNumber + 1; attnum < 0; attnum++)
	{
		const char *name = NameStr(SystemAttributeDefinition(attnum)->attname);

		if (attnum == TableOidAttributeNumber ||
			(!bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, output) &&
			 !compares_system_column(root, rel, attnum)))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot use column \"%s\" of foreign table \"%s\"", name,
						RelationGetRelationName(relation)),
				 errdetail("Entries of a remote list have no \"%s\" to be told apart by.", name),
				 errhint("Use identifier instead. Where postgres_fdw asks for a DELETE, give it only conditions that it sends.")));
	}
}

/*
 * Tell the planner that almost every entry has its own match_key.  Without statistics, the
 * planner expects 200 keys, so it would sort for joins instead of hashing.  A unique index
 * tells it that keys are distinct; if the index is not immediate, it is no proof, since keys
 * may repeat.
 */
static void
expect_distinct_keys(RelOptInfo *rel, Oid relid, AttrNumber attnum)
{
	IndexOptInfo *index = makeNode(IndexOptInfo);

	if (attnum == 0 || SearchSysCacheExists3(STATRELATTINH, ObjectIdGetDatum(relid),
											 Int16GetDatum(attnum), BoolGetDatum(false)))
		return;
	index->rel = rel;
	index->ncolumns = index->nkeycolumns = 1;
	index->indexkeys = palloc(sizeof(int));
	*index->indexkeys = attnum;
	index->unique = true;
	rel->indexlist = lappend(rel->indexlist, index);
}

/* Set the expected size of a table's scan. */
void
dnc_plan_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	DncRelPlan *plan = palloc0(sizeof(DncRelPlan));
	Relation	relation = table_open(relid, NoLock);

	plan->relid = relid;
	plan->options = dnc_options_load(GetForeignServerIdByRelId(relid), relid);
	plan->map = dnc_column_map(relid, RelationGetRelationName(relation),
							   RelationGetDescr(relation));
	plan->bound = dnc_bound_clauses(relation, plan->options, plan->map);
	refuse_system_columns(root, rel, relation);
	table_close(relation, NoLock);
	plan->reads_search = dnc_search_column_is_read(root, rel, plan->map);
	rel->fdw_private = plan;
	expect_distinct_keys(rel, relid, dnc_column_attnum(plan->map, DNC_COL_MATCH_KEY));
	plan->analyzed = rel->tuples >= 0;
	if (!plan->analyzed)
		rel->tuples = plan->options->estimated_rows;
	set_baserel_size_estimates(root, rel);
	if (!plan->analyzed)
	{
		List	   *pushed = pushable(root, rel, rel->baserestrictinfo);

		rel->rows = clamp_row_est(Min(rel->rows, dnc_estimate_scan(root, rel, plan->options, false,
																   pushed).entries));
	}
}

/*
 * The cost of a scan that would have to deliver the column search, but searches for nothing.
 * The planner needs a path for the table alone.  So we add the path, and refuse a plan that
 * uses it.
 */
#define LACKS_SEARCH_COST 1.0e10

/* Would a scan with these conditions have to deliver the column search without a search? */
static bool
lacks_search(const DncRelPlan *plan, List *sent)
{
	return plan->reads_search && !dnc_qual_is_never(sent) &&
		dnc_qual_find(sent, DNC_COL_SEARCH) == NULL;
}

/* Add the path of a scan that sends these conditions. */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, List *sent, bool lookups, double rows,
			  Relids required_outer)
{
	const DncRelPlan *plan = rel->fdw_private;
	DncEstimate estimate = dnc_estimate_scan(root, rel, plan->options, plan->analyzed, sent);
	Cost		startup = rel->baserestrictcost.startup +
		(estimate.requests > 0 ? plan->options->request_cost : 0);
	Cost		total = rel->baserestrictcost.startup +
		estimate.requests * plan->options->request_cost +
		estimate.entries * (cpu_tuple_cost + rel->baserestrictcost.per_tuple);
	ForeignPath *path;

	if (lacks_search(plan, sent))
		total += LACKS_SEARCH_COST;
	if (!plan->analyzed)
		rows = clamp_row_est(Min(rows, estimate.entries));
	path = dnc_create_foreignscan_path(root, rel, rows, startup, total, required_outer);
	path->fdw_private = list_make2(makeInteger(lookups),
								   makeFloat(psprintf("%.0f", estimate.requests)));
	add_path(rel, (Path *) path);
}

/*
 * Add the paths for some clauses: one that sends all conditions that can be sent, and one that
 * reads the list if the first would look up many values.
 */
static void
add_scan_paths(PlannerInfo *root, RelOptInfo *rel, List *clauses, double rows,
			   Relids required_outer)
{
	List	   *pushed = pushable(root, rel, clauses);
	List	   *without = sent_by(pushed, false);

	add_scan_path(root, rel, pushed, true, rows, required_outer);
	if (list_length(without) < list_length(pushed) && bms_equal(required_outer, rel->lateral_relids))
		add_scan_path(root, rel, without, false, rows, required_outer);
}

/* Add the paths of a table: scans with its own clauses, and lookups for joins. */
void
dnc_plan_paths(PlannerInfo *root, RelOptInfo *rel)
{
	const DncRelPlan *plan = rel->fdw_private;
	List	   *params = NIL;
	ListCell   *lc;

	add_scan_paths(root, rel, rel->baserestrictinfo, rel->rows, rel->lateral_relids);
	foreach(lc, dnc_qual_join_clauses(root, rel, plan->options, plan->map))
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		Relids		outer = bms_union(rinfo->clause_relids, rel->lateral_relids);

		outer = bms_del_member(outer, rel->relid);
		if (!bms_is_empty(outer))
			params = list_append_unique_ptr(params, get_baserel_parampathinfo(root, rel, outer));
	}
	foreach(lc, params)
	{
		ParamPathInfo *param = lfirst_node(ParamPathInfo, lc);

		add_scan_paths(root, rel, list_concat_copy(rel->baserestrictinfo, param->ppi_clauses),
					   param->ppi_rows, param->ppi_req_outer);
	}
}

/* fdw_private of a plan, without the conditions that we send; see DncPlanPrivate. */
typedef struct DncPlanFacts
{
	List	   *needed;
	Oid			relid;
	int			page_size;
	List	   *counts;
	List	   *types;
	bool		grouped;
	double		limit;
	Node	   *requests;
	double		list_requests;
	bool		may_be_short;
} DncPlanFacts;

/* A number for fdw_private. */
static Node *
make_number(double value)
{
	return (Node *) makeFloat(psprintf("%.0f", value));
}

/* fdw_private of a plan (DncPlanPrivate). */
static List *
make_private(List *sent, const DncPlanFacts *facts)
{
	List	   *columns = NIL;
	List	   *ops = NIL;
	List	   *arrays = NIL;
	ListCell   *lc;

	foreach(lc, sent)
	{
		DncPushed  *pushed = lfirst(lc);

		columns = lappend_int(columns, pushed->column);
		ops = lappend_int(ops, pushed->op);
		arrays = lappend_int(arrays, pushed->is_array);
	}
	return list_concat(list_concat(list_make5(columns, ops, arrays, facts->needed,
											  list_make1_oid(facts->relid)),
								   list_make5(makeInteger(facts->page_size), facts->counts,
											  facts->types, makeInteger(facts->grouped),
											  make_number(facts->limit))),
					   list_make3(facts->requests, make_number(facts->list_requests),
								  makeInteger(facts->may_be_short)));
}

/* The values of the conditions that we send, for fdw_exprs. */
static List *
values_of(List *sent)
{
	List	   *values = NIL;
	ListCell   *lc;

	foreach(lc, sent)
		values = lappend(values, ((DncPushed *) lfirst(lc))->value);
	return values;
}

/* Add the path that answers count(*) with totals of the list, if these are exact. */
void
dnc_plan_count(PlannerInfo *root, RelOptInfo *input_rel, RelOptInfo *output_rel)
{
	const DncRelPlan *plan = input_rel->fdw_private;
	DncPlanFacts facts = {.page_size = 1, .list_requests = 1};
	DncCounting counting;
	List	   *pushed;
	List	   *private;
	double		requests;

	if (plan == NULL)
		return;
	pushed = dnc_qual_pushable(root, input_rel, input_rel->baserestrictinfo, plan->options,
							   plan->map);
	if (!dnc_count_pushdown_is_total(root, input_rel, plan->options, plan->map, pushed, &counting) ||
		!dnc_bound_is_implied(plan->bound, input_rel))
		return;
	/* One request for the total of each type, and one for that of the list. */
	requests = list_length(counting.types) + 1;
	facts.requests = make_number(requests);
	facts.relid = plan->relid;
	facts.counts = counting.fills;
	facts.types = counting.types;
	facts.grouped = root->parse->groupClause != NIL;
	private = list_make4(values_of(pushed), make_private(pushed, &facts), counting.columns,
						 root->parse->havingQual);
	add_path(output_rel, (Path *)
			 dnc_create_foreign_upper_path(root, output_rel,
										   root->upper_targets[UPPERREL_GROUP_AGG], requests,
										   requests * (plan->options->request_cost + cpu_tuple_cost),
										   private));
}

/* The plan for a path of dnc_plan_count(). */
ForeignScan *
dnc_plan_count_scan(ForeignPath *path, List *tlist)
{
	List	   *private = path->fdw_private;
	List	   *scan_tlist = add_to_flat_tlist(NIL, lthird(private));

	return make_foreignscan(tlist, lfourth(private), 0, linitial(private), lsecond(private),
							scan_tlist, NIL, NULL);
}

/* The expected requests of one run of a scan. */
double
dnc_plan_expected_requests(const ForeignScan *plan)
{
	return floatVal(list_nth(plan->fdw_private, DNC_PLAN_REQUESTS));
}

/* The table whose entries a scan counts; InvalidOid: the scan delivers entries. */
Oid
dnc_plan_counted_table(const ForeignScan *plan)
{
	return list_nth(plan->fdw_private, DNC_PLAN_COUNTS) == NIL ? InvalidOid
		: linitial_oid(list_nth(plan->fdw_private, DNC_PLAN_TABLE));
}

/* May Append read this at the same time as other scans? */
bool
dnc_plan_is_async_capable(const ForeignPath *path)
{
	const DncRelPlan *plan = path->path.parent->fdw_private;

	return plan && plan->options->async_capable;
}

/*
 * The number of rows after which LIMIT ends a query, if PostgreSQL evaluates nothing else; 0:
 * not known.  This is only a hint, for the page size and for asking ahead: if the query wants
 * more rows, we read on.
 */
static double
rows_to_limit(PlannerInfo *root, List *clauses)
{
	if (root->limit_tuples < 1 || root->parse->limitOption == LIMIT_OPTION_WITH_TIES || clauses != NIL || root->query_pathkeys != NIL ||
		bms_membership(root->all_baserels) != BMS_SINGLETON)
		return 0;
	return root->limit_tuples;
}

/* The plan for a path of dnc_plan_paths(). */
ForeignScan *
dnc_plan_scan(PlannerInfo *root, RelOptInfo *rel, ForeignPath *path, List *tlist, List *clauses,
			  Plan *outer_plan)
{
	const DncRelPlan *plan = rel->fdw_private;
	bool		lookups = intVal(list_nth(path->fdw_private, DNC_PATH_LOOKUPS)) != 0;
	List	   *pushed = pushable(root, rel, clauses);
	List	   *sent = sent_by(pushed, lookups);
	DncPlanFacts facts = {0};

	clauses = extract_actual_clauses(clauses, false);
	if (lacks_search(plan, sent))
		dnc_search_column_refuse(plan->options);
	facts.needed = dnc_needed_attributes(root, rel, clauses, plan->relid, plan->map);
	facts.relid = plan->relid;
	facts.limit = rows_to_limit(root, clauses);
	if (facts.limit < plan->options->page_size)
		facts.page_size = (int) facts.limit;
	facts.requests = list_nth(path->fdw_private, DNC_PATH_REQUESTS);
	facts.may_be_short = dnc_estimate_may_be_short(root, plan->analyzed);
	facts.list_requests = dnc_estimate_list_requests(root, rel, plan->options, plan->analyzed, sent);
	return make_foreignscan(tlist, clauses, rel->relid, values_of(sent), make_private(sent, &facts),
							NIL, NIL, outer_plan);
}
