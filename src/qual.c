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
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "utils/lsyscache.h"

#include "qual.h"

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

/* A clause that can go into a request; palloc'd. */
static DncPushed *
make_pushed(DncColumn column, DncOp op, Expr *value, RestrictInfo *rinfo)
{
	DncPushed  *pushed = palloc(sizeof(DncPushed));

	pushed->column = column;
	pushed->op = op;
	pushed->value = value;
	pushed->rinfo = rinfo;
	return pushed;
}

/* A clause as "column = value"; NULL: it is something else. */
static DncPushed *
match_equality(PlannerInfo *root, RestrictInfo *rinfo, RelOptInfo *rel,
			   const DncOptions *options, const DncColumnMap *map)
{
	OpExpr	   *op = castNode(OpExpr, rinfo->clause);

	if (!is_text_equality(op->opno))
		return NULL;
	for (int side = 0; side < 2; side++)
	{
		DncColumn	column = column_of(list_nth(op->args, side), rel, map);
		Expr	   *value = list_nth(op->args, 1 - side);

		if (column != DNC_COL_NONE && dnc_request_filters_on(options->provider, column) &&
			is_run_time_value(root, value))
			return make_pushed(column, DNC_OP_EQ, value, rinfo);
	}
	return NULL;
}

/*
 * A clause as "identifier LIKE pattern", where the remote search is known to
 * look at parts of a value; NULL: it is something else.
 */
static DncPushed *
match_pattern(PlannerInfo *root, RestrictInfo *rinfo, RelOptInfo *rel,
			  const DncOptions *options, const DncColumnMap *map)
{
	OpExpr	   *op = castNode(OpExpr, rinfo->clause);
	Expr	   *pattern = lsecond(op->args);

	if ((op->opno != OID_TEXT_LIKE_OP && op->opno != OID_TEXT_ICLIKE_OP) ||
		options->search_match == DNC_SEARCH_EXACT ||
		!dnc_request_filters_on(options->provider, DNC_COL_IDENTIFIER) ||
		column_of(linitial(op->args), rel, map) != DNC_COL_IDENTIFIER ||
		!is_run_time_value(root, pattern))
		return NULL;
	return make_pushed(DNC_COL_IDENTIFIER,
					   op->opno == OID_TEXT_LIKE_OP ? DNC_OP_LIKE : DNC_OP_ILIKE, pattern, rinfo);
}

/* A clause that can go into a request; NULL: this one cannot. */
static DncPushed *
match_clause(PlannerInfo *root, RestrictInfo *rinfo, RelOptInfo *rel,
			 const DncOptions *options, const DncColumnMap *map, bool patterns)
{
	OpExpr	   *op;

	if (!IsA(rinfo->clause, OpExpr))
		return NULL;
	op = castNode(OpExpr, rinfo->clause);
	if (list_length(op->args) != 2 ||
		!OidIsValid(op->inputcollid) || !get_collation_isdeterministic(op->inputcollid))
		return NULL;
	return patterns ? match_pattern(root, rinfo, rel, options, map)
		: match_equality(root, rinfo, rel, options, map);
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
 * The clauses of a scan that can go into its requests, one a column, an equality
 * rather than a pattern: a list of DncPushed, palloc'd.
 */
List *
dnc_qual_pushable(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options,
				  const DncColumnMap *map)
{
	List	   *result = NIL;

	for (int patterns = 0; patterns < 2; patterns++)
	{
		ListCell   *lc;

		foreach(lc, rel->baserestrictinfo)
		{
			DncPushed  *pushed = match_clause(root, lfirst_node(RestrictInfo, lc), rel, options,
											  map, patterns);

			if (pushed && !has_column(result, pushed->column))
				result = lappend(result, pushed);
		}
	}
	return result;
}

/*
 * Which relations need an attribute; relid 0 stands for the output.  Of a
 * partition, or a member of UNION ALL, only the parent knows.
 */
static Relids
needed_by(PlannerInfo *root, RelOptInfo *rel, AttrNumber attnum)
{
	Index		relid = rel->relid;

	while (root->append_rel_array && root->append_rel_array[relid])
	{
		AppendRelInfo *info = root->append_rel_array[relid];

		attnum = attnum <= info->num_child_cols ? info->parent_colnos[attnum - 1] : 0;
		if (attnum == 0)
			return NULL;
		relid = info->parent_relid;
	}
	rel = find_base_rel(root, relid);
	return rel->attr_needed[attnum - rel->min_attr];
}

/* Does any clause of the query look at this attribute? */
static bool
is_attribute_filtered(PlannerInfo *root, RelOptInfo *rel, AttrNumber attnum)
{
	Bitmapset  *attrs = NULL;
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &attrs);
	if (bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, attrs))
		return true;
	/* Needed for anything but the output: a join clause. */
	return !bms_is_empty(bms_del_member(bms_copy(needed_by(root, rel, attnum)), 0));
}

/*
 * The column search reads as what was searched for.  A query that filters on
 * it in a way that no request carries would find nothing, and look as if the
 * list held nothing: refuse it.
 */
void
dnc_qual_check_search(PlannerInfo *root, RelOptInfo *rel, const DncColumnMap *map, List *pushed,
					  const DncOptions *options)
{
	if (has_column(pushed, DNC_COL_SEARCH))
		return;
	for (int i = 0; i < map->natts; i++)
	{
		if (map->columns[i] != DNC_COL_SEARCH || !is_attribute_filtered(root, rel, i + 1))
			continue;
		if (!dnc_request_filters_on(options->provider, DNC_COL_SEARCH))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("server \"%s\" cannot search", options->server_name),
					 errdetail("The API of provider \"%s\" has no parameter for it.",
							   options->provider->name),
					 errhint("Filter on identifier instead of search.")));
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"search\" of server \"%s\" can only be compared with = to a value",
						options->server_name),
				 errdetail("It stands for the search of the vendor's API, and reads as what was searched for."),
				 errhint("Write search = '...', or filter on identifier.")));
	}
}
