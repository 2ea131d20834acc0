/*-------------------------------------------------------------------------
 *
 * delete_by_key.c
 *		DELETE of one entry by its key, without reading the list.
 *
 * An API removes an entry by its key.  If the WHERE of a DELETE gives exactly that key, we need
 * no scan.  The rows have to take a route that tells at once whether the entry was there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "foreign/fdwapi.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "config/registry.h"
#include "plan/bound.h"
#include "plan/plan.h"
#include "plan/qual.h"
#include "write/delete_by_key.h"
#include "write/route.h"
#include "write/transaction.h"

struct DncDeleteByKey
{
	ForeignScanState *node;
	const DncProvider *provider;
	DncRoute   *route;
	List	   *values;			/* of ExprState, by the members that name an entry */
	bool		set_processed;
};

/* How many members of a removal name the entry.  These are sent, and come first. */
static int
key_length(const DncWriteCall *remove)
{
	int			length = 0;

	if (remove->bare || strstr(remove->path, "{}"))
		return 1;
	while (remove->members[length].name)
		length++;
	return length;
}

/*
 * Can an entry have this value, as far as we know when we plan?  An API that stores lower case
 * would remove an entry that differs in case, and an API would refuse a type that it does not
 * know.
 */
static bool
is_as_stored(const DncProvider *provider, DncColumn column, const Expr *value)
{
	if (column == DNC_COL_IDENTIFIER_TYPE && IsA(value, Const) &&
		((const Const *) value)->consttype == TEXTOID && !((const Const *) value)->constisnull)
		return dnc_provider_has_type(provider,
									 TextDatumGetCString(((const Const *) value)->constvalue));
	if (!provider->folds_case)
		return true;
	if (!IsA(value, Const) || ((const Const *) value)->constisnull ||
		((const Const *) value)->consttype != TEXTOID)
		return false;
	for (const char *c = TextDatumGetCString(((const Const *) value)->constvalue); *c; c++)
	{
		if ((*c >= 'A' && *c <= 'Z') || IS_HIGHBIT_SET(*c))
			return false;
	}
	return true;
}

/*
 * The values by which the clauses of a table name one entry: each member of the key once, and
 * nothing else.  NIL: the clauses do something else.
 */
static List *
key_values(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options, const DncColumnMap *map)
{
	const DncWriteCall *remove = &options->provider->remove;
	int			length = key_length(remove);
	List	   *equalities = dnc_qual_equalities(root, rel, options, map);
	List	   *values = NIL;

	if (list_length(equalities) != length || list_length(rel->baserestrictinfo) != length)
		return NIL;
	for (int i = 0; i < length; i++)
	{
		DncPushed  *pushed = dnc_qual_find(equalities, remove->members[i].column);

		if (pushed == NULL || !is_as_stored(options->provider, pushed->column, pushed->value))
			return NIL;
		values = lappend(values, pushed->value);
	}
	return values;
}

/*
 * Can a DELETE be done without reading?  If so, make its scan the removal.  The statement may
 * read nothing else, since a removal would move the entries of a list that is being read.
 */
bool
dnc_delete_by_key_plan(PlannerInfo *root, ModifyTable *plan, Index result_relation)
{
	RangeTblEntry *rte = planner_rt_fetch(result_relation, root);
	ForeignScan *scan = (ForeignScan *) outerPlan(plan);
	const DncOptions *options;
	Relation	relation;
	DncColumnMap *map;
	RelOptInfo *rel;
	List	   *values = NIL;

	if (plan->operation != CMD_DELETE || plan->returningLists != NIL || !IsA(scan, ForeignScan) ||
		scan->scan.scanrelid != result_relation || root->query_level != 1 ||
		root->parse->cteList != NIL || root->init_plans != NIL ||
		bms_membership(root->all_baserels) != BMS_SINGLETON)
		return false;
	options = dnc_options_load(GetForeignServerIdByRelId(rte->relid), rte->relid);
	if (!dnc_route_tells_changes(options))
		return false;
	relation = RelationIdGetRelation(rte->relid);
	rel = find_base_rel(root, result_relation);
	map = dnc_column_map(rte->relid, RelationGetRelationName(relation), RelationGetDescr(relation));
	if (dnc_bound_is_implied(dnc_bound_clauses(relation, options, map), rel))
		values = key_values(root, rel, options, map);
	RelationClose(relation);
	if (values == NIL)
		return false;
	scan->operation = CMD_DELETE;
	scan->resultRelation = result_relation;
	scan->fdw_exprs = values;
	scan->fdw_private = list_make1(makeBoolean(plan->canSetTag));
	return true;
}

/*
 * Set up the removal; sends nothing.  palloc'd in the current context.  Raises 25006 in a
 * read-only transaction, 28000 where there is no token, and the errors of dnc_route_begin().
 */
DncDeleteByKey *
dnc_delete_by_key_begin(ForeignScanState *node)
{
	ForeignScan *plan = castNode(ForeignScan, node->ss.ps.plan);
	ResultRelInfo *result = node->resultRelInfo;
	EState	   *estate = node->ss.ps.state;
	Oid			relid = RelationGetRelid(result->ri_RelationDesc);
	DncDeleteByKey *direct = palloc0(sizeof(DncDeleteByKey));
	DncRouteStatement statement = {.result = result, .estate = estate,
	.action = DNC_ACTION_REMOVE};
	const DncTarget *target;

	PreventCommandIfReadOnly("DELETE");
	target = dnc_transaction_target(GetForeignServerIdByRelId(relid), relid,
									dnc_modify_user(result, estate));
	direct->node = node;
	direct->provider = target->options->provider;
	direct->values = ExecInitExprList(plan->fdw_exprs, &node->ss.ps);
	direct->set_processed = boolVal(linitial(plan->fdw_private));
	direct->route = dnc_route_begin(target, &statement);
	return direct;
}

/* The values of the key in members[DNC_MAX_MEMBERS], as texts; false: no entry can have them. */
static bool
evaluate_key(DncDeleteByKey *direct, const char **members)
{
	const DncProvider *provider = direct->provider;
	ExprContext *econtext = direct->node->ss.ps.ps_ExprContext;
	ListCell   *lc;

	memset(members, 0, sizeof(char *) * DNC_MAX_MEMBERS);
	foreach(lc, direct->values)
	{
		ExprState  *state = lfirst(lc);
		int			index = foreach_current_index(lc);
		bool		isnull;
		Datum		value = ExecEvalExpr(state, econtext, &isnull);
		Oid			output;
		bool		varlena;

		if (isnull)
			return false;
		getTypeOutputInfo(exprType((Node *) state->expr), &output, &varlena);
		members[index] = OidOutputFunctionCall(output, value);
		if (members[index][0] == '\0' ||
			(provider->remove.members[index].column == DNC_COL_IDENTIFIER_TYPE &&
			 dnc_registry_lacks_type(provider, members[index])))
			return false;
	}
	return true;
}

/* Send the removal, and count the removed entries.  Raises the errors of dnc_route_end(). */
void
dnc_delete_by_key_run(DncDeleteByKey *direct)
{
	EState	   *estate = direct->node->ss.ps.state;
	const char *members[DNC_MAX_MEMBERS];
	int64		removed = 0;

	if (evaluate_key(direct, members))
	{
		(void) dnc_route_add(direct->route, DNC_ACTION_REMOVE, members, estate->es_output_cid);
		removed = dnc_route_end(direct->route);
	}
	if (direct->set_processed)
		estate->es_processed += removed;
	if (direct->node->ss.ps.instrument)
		direct->node->ss.ps.instrument->tuplecount += removed;
}
