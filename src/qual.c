/*-------------------------------------------------------------------------
 *
 * qual.c
 *		Which clauses can go into a request.
 *
 * The remote narrows, PostgreSQL decides: every clause is evaluated again
 * locally, so all that is asked of a clause here is that the remote filter
 * cannot lose an entry that the clause keeps.  Equality of texts under a
 * deterministic collation is equality of bytes, which is what the APIs'
 * filters are at least true to.  What a value is, is not known here: that is
 * seen to when the request is made.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/sysattr.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"

#include "qual.h"
#include "request.h"

/*
 * The column that an expression is, if it is one whose text is exactly what
 * the remote has: text, or a domain or varchar over it without a length that
 * could have cut something off.  DNC_COL_NONE: it is something else.
 */
static DncColumn
column_of(Expr *expr, RelOptInfo *rel, const DncColumnMap *map)
{
	Var		   *var;
	int32		typmod;
	Oid			type;

	while (IsA(expr, RelabelType))
		expr = castNode(RelabelType, expr)->arg;
	if (!IsA(expr, Var))
		return DNC_COL_NONE;
	var = castNode(Var, expr);
	if (var->varno != (int) rel->relid || var->varlevelsup != 0 || var->varattno <= 0)
		return DNC_COL_NONE;
	typmod = var->vartypmod;
	type = getBaseTypeAndTypmod(var->vartype, &typmod);
	if ((type != TEXTOID && type != VARCHAROID) || typmod >= 0)
		return DNC_COL_NONE;
	return map->columns[var->varattno - 1];
}

/* Is this an operator of text equality, as btree indexes know it? */
static bool
is_text_equality(Oid opno)
{
	Oid			left;
	Oid			right;

	if (get_op_opfamily_strategy(opno, TEXT_BTREE_FAM_OID) != BTEqualStrategyNumber)
		return false;
	op_input_types(opno, &left, &right);
	return left == TEXTOID && right == TEXTOID;
}

/* Can this expression be evaluated once, before the scan begins? */
static bool
is_run_time_value(PlannerInfo *root, Expr *expr)
{
	return bms_is_empty(pull_varnos(root, (Node *) expr)) &&
		!contain_volatile_functions((Node *) expr) &&
		!contain_subplans((Node *) expr);
}

/* A clause as "column = value"; NULL: it cannot go into a request. */
static DncPushed *
match_clause(PlannerInfo *root, RestrictInfo *rinfo, RelOptInfo *rel,
			 const DncProvider *provider, const DncColumnMap *map)
{
	OpExpr	   *op;
	DncPushed  *pushed;

	if (!IsA(rinfo->clause, OpExpr))
		return NULL;
	op = castNode(OpExpr, rinfo->clause);
	if (list_length(op->args) != 2 || !is_text_equality(op->opno) ||
		!OidIsValid(op->inputcollid) || !get_collation_isdeterministic(op->inputcollid))
		return NULL;

	for (int side = 0; side < 2; side++)
	{
		DncColumn	column = column_of(list_nth(op->args, side), rel, map);
		Expr	   *value = list_nth(op->args, 1 - side);

		if (column == DNC_COL_NONE || !dnc_request_filters_on(provider, column) ||
			!is_run_time_value(root, value))
			continue;
		pushed = palloc(sizeof(DncPushed));
		pushed->column = column;
		pushed->value = value;
		pushed->rinfo = rinfo;
		return pushed;
	}
	return NULL;
}

/* Is there a clause on this column already? */
static bool
has_column(List *pushed, DncColumn column)
{
	ListCell   *lc;

	foreach(lc, pushed)
	{
		if (((DncPushed *) lfirst(lc))->column == column)
			return true;
	}
	return false;
}

/*
 * The clauses of a scan that can go into its requests, one a column: a list of
 * DncPushed, palloc'd.
 */
List *
dnc_qual_pushable(PlannerInfo *root, RelOptInfo *rel, const DncProvider *provider,
				  const DncColumnMap *map)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		DncPushed  *pushed = match_clause(root, lfirst_node(RestrictInfo, lc), rel, provider,
										   map);

		if (pushed && !has_column(result, pushed->column))
			result = lappend(result, pushed);
	}
	return result;
}

/* Does any clause of the query look at this attribute? */
static bool
is_attribute_filtered(PlannerInfo *root, RelOptInfo *rel, AttrNumber attnum)
{
	Bitmapset  *attrs = NULL;
	Relids		needed;
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &attrs);
	if (bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, attrs))
		return true;

	/* Needed for anything but the output (which is relid 0): a join clause. */
	needed = bms_copy(rel->attr_needed[attnum - rel->min_attr]);
	return !bms_is_empty(bms_del_member(needed, 0));
}

/*
 * The column search reads as what was searched for.  A query that filters on
 * it in a way that no request carries would find nothing, and look as if the
 * list held nothing: refuse it.
 */
void
dnc_qual_check_search(PlannerInfo *root, RelOptInfo *rel, const DncColumnMap *map, List *pushed,
					  const char *server_name)
{
	if (has_column(pushed, DNC_COL_SEARCH))
		return;
	for (int i = 0; i < map->natts; i++)
	{
		if (map->columns[i] == DNC_COL_SEARCH && is_attribute_filtered(root, rel, i + 1))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column \"search\" of server \"%s\" can only be compared with = to a value",
							server_name),
					 errdetail("It stands for the search of the vendor's API, and reads as what was searched for."),
					 errhint("Write search = '...', or filter on identifier.")));
	}
}
