/*-------------------------------------------------------------------------
 *
 * qual.c
 *		The clauses that can go into a request.
 *
 * The remote narrows, PostgreSQL decides.  PostgreSQL evaluates every clause again, so a
 * clause qualifies if the remote filter cannot lose an entry that the clause keeps.
 * Equality of texts under a deterministic collation is equality of bytes, and the APIs'
 * filters keep at least the entries whose bytes are equal.  We do not know the values
 * yet: filter.c looks at them when it makes the request.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/sysattr.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "plan/constants.h"
#include "plan/guard.h"
#include "plan/qual.h"

/* The table, and the kind of columns, for which we match clauses. */
typedef struct MatchContext
{
	PlannerInfo *root;
	RelOptInfo *rel;
	const DncOptions *options;
	const DncColumnMap *map;
	bool		any_column;		/* match also columns on which no request can filter */
} MatchContext;

/*
 * The column that an expression stands for, if its text is exactly the remote's text: a column
 * of type text, of a domain or varchar without a length that could have cut something off, or
 * of an enum, whose labels are the remote's.  DNC_COL_NONE: the expression is something else.
 */
static DncColumn
column_of(const MatchContext *context, Expr *expr)
{
	Var		   *var;

	while (IsA(expr, RelabelType) || IsA(expr, CoerceViaIO))
	{
		/* An enum's label as text is fine; other types may read back differently. */
		if (IsA(expr, CoerceViaIO) &&
			!type_is_enum(exprType((Node *) castNode(CoerceViaIO, expr)->arg)))
			return DNC_COL_NONE;
		expr = IsA(expr, RelabelType) ? castNode(RelabelType, expr)->arg
			: castNode(CoerceViaIO, expr)->arg;
	}
	if (!IsA(expr, Var))
		return DNC_COL_NONE;
	var = castNode(Var, expr);
	if (var->varno != (int) context->rel->relid || var->varlevelsup != 0 || var->varattno <= 0)
		return DNC_COL_NONE;
	if (!dnc_column_keeps_text(var->vartype, var->vartypmod))
		return DNC_COL_NONE;
	return context->map->columns[var->varattno - 1];
}

/* The column that an expression stands for, if a condition on it changes the request. */
static DncColumn
filter_column(const MatchContext *context, Expr *expr)
{
	DncColumn	column = column_of(context, expr);

	return column != DNC_COL_NONE &&
		(context->any_column || dnc_filter_has_column(context->options->provider, column))
		? column : DNC_COL_NONE;
}

/* Is this equality of texts, as in btree indexes, or equality of enums? */
static bool
is_equality(Oid opno, Oid collation)
{
	Oid			left;
	Oid			right;

	if (get_opcode(opno) == F_ENUM_EQ)
		return true;
	if (get_op_opfamily_strategy(opno, TEXT_BTREE_FAM_OID) != BTEqualStrategyNumber)
		return false;
	op_input_types(opno, &left, &right);
	return left == TEXTOID && right == TEXTOID &&
		OidIsValid(collation) && get_collation_isdeterministic(collation);
}

/* Make a clause that can go into a request; palloc'd. */
static DncPushed *
make_pushed(DncColumn column, DncOp op, Expr *value, bool is_array)
{
	DncPushed  *pushed = palloc0(sizeof(DncPushed));

	pushed->column = column;
	pushed->op = op;
	pushed->value = value;
	pushed->is_array = is_array;
	return pushed;
}

/* "column = value", in either order; NULL: it is something else. */
static DncPushed *
match_equality(const MatchContext *context, OpExpr *op)
{
	if (list_length(op->args) != 2 || !is_equality(op->opno, op->inputcollid))
		return NULL;
	for (int side = 0; side < 2; side++)
	{
		DncColumn	column = filter_column(context, list_nth(op->args, side));
		Expr	   *value = list_nth(op->args, 1 - side);

		if (column != DNC_COL_NONE && dnc_guard_is_run_time_value(context->root, context->rel, value))
			return make_pushed(column, DNC_OP_EQ, value, false);
	}
	return NULL;
}

/*
 * "identifier LIKE pattern", if the remote search is known to look at parts of a value; NULL:
 * it is something else.
 */
static DncPushed *
match_pattern(const MatchContext *context, OpExpr *op)
{
	if ((op->opno != OID_TEXT_LIKE_OP && op->opno != OID_TEXT_ICLIKE_OP) ||
		context->options->search_match == DNC_SEARCH_EXACT ||
		!OidIsValid(op->inputcollid) || !get_collation_isdeterministic(op->inputcollid) ||
		filter_column(context, linitial(op->args)) != DNC_COL_IDENTIFIER ||
		!dnc_guard_is_run_time_value(context->root, context->rel, lsecond(op->args)))
		return NULL;
	return make_pushed(DNC_COL_IDENTIFIER,
					   op->opno == OID_TEXT_LIKE_OP ? DNC_OP_LIKE : DNC_OP_ILIKE,
					   lsecond(op->args), false);
}

/* "column = ANY (array)", which also comes from IN; NULL: it is something else. */
static DncPushed *
match_any(const MatchContext *context, ScalarArrayOpExpr *op)
{
	DncColumn	column;

	if (!op->useOr || !is_equality(op->opno, op->inputcollid))
		return NULL;
	column = filter_column(context, linitial(op->args));
	if (column == DNC_COL_NONE || !dnc_guard_is_run_time_value(context->root, context->rel, lsecond(op->args)))
		return NULL;
	return make_pushed(column, DNC_OP_EQ, lsecond(op->args), true);
}

/* The equality in an arm of an OR that demands a value of a column; NULL: there is none. */
static OpExpr *
equality_in_arm(const MatchContext *context, Node *arm, DncColumn column, Expr **value)
{
	DncPushed  *pushed;
	ListCell   *lc;

	arm = dnc_guard_clause_of(arm);
	if (IsA(arm, OpExpr))
	{
		pushed = match_equality(context, castNode(OpExpr, arm));
		if (pushed == NULL || pushed->column != column)
			return NULL;
		*value = pushed->value;
		return castNode(OpExpr, arm);
	}
	if (is_andclause(arm))
	{
		foreach(lc, castNode(BoolExpr, arm)->args)
		{
			OpExpr	   *equality = equality_in_arm(context, lfirst(lc), column, value);

			if (equality)
				return equality;
		}
	}
	return NULL;
}

/* Make the expression "column = ANY (array)", with the operator of "column = value". */
static Expr *
make_any(const MatchContext *context, const OpExpr *equality, Expr *array)
{
	ScalarArrayOpExpr *any = makeNode(ScalarArrayOpExpr);
	bool		column_first = filter_column(context, linitial(equality->args)) != DNC_COL_NONE;

	any->opno = equality->opno;
	any->useOr = true;
	any->inputcollid = equality->inputcollid;
	any->args = list_make2(list_nth(equality->args, column_first ? 0 : 1), array);
	any->location = -1;
	return (Expr *) any;
}

/*
 * An OR whose arms all demand a value of this column, as "column = ANY"; NULL: it is something
 * else.
 */
static DncPushed *
match_or(const MatchContext *context, BoolExpr *clause, DncColumn column)
{
	ArrayExpr  *array = makeNode(ArrayExpr);
	OpExpr	   *equality = NULL;
	DncPushed  *pushed;
	ListCell   *lc;

	foreach(lc, clause->args)
	{
		Expr	   *value = NULL;

		equality = equality_in_arm(context, lfirst(lc), column, &value);
		if (equality == NULL)
			return NULL;
		if (array->elements == NIL)
		{
			array->element_typeid = exprType((Node *) value);
			array->array_collid = exprCollation((Node *) value);
		}
		if (exprType((Node *) value) != array->element_typeid)
			return NULL;
		array->elements = lappend(array->elements, dnc_guard_value(context->root, context->rel, lfirst(lc), value));
	}
	array->array_typeid = get_array_type(array->element_typeid);
	array->location = -1;
	if (!OidIsValid(array->array_typeid))
		return NULL;
	pushed = make_pushed(column, DNC_OP_EQ,
						 (Expr *) eval_const_expressions(context->root, (Node *) array), true);
	pushed->derived = make_any(context, equality, pushed->value);
	return pushed;
}

/* Append the conditions that a request can carry for a clause to a list of DncPushed. */
static List *
match_clause(const MatchContext *context, RestrictInfo *rinfo, List *list)
{
	Node	   *clause = (Node *) rinfo->clause;
	DncPushed  *pushed = NULL;
	int			before = list_length(list);
	ListCell   *lc;

	if (rinfo->orclause)
	{
		for (int column = 0; column < DNC_NCOLUMNS; column++)
		{
			pushed = match_or(context, castNode(BoolExpr, rinfo->orclause), (DncColumn) column);
			if (pushed)
				list = lappend(list, pushed);
		}
	}
	else
	{
		if (IsA(clause, OpExpr))
			pushed = match_equality(context, castNode(OpExpr, clause));
		if (IsA(clause, OpExpr) && pushed == NULL)
			pushed = match_pattern(context, castNode(OpExpr, clause));
		if (IsA(clause, ScalarArrayOpExpr))
			pushed = match_any(context, castNode(ScalarArrayOpExpr, clause));
		if (pushed)
			list = lappend(list, pushed);
	}
	for_each_from(lc, list, before)
		((DncPushed *) lfirst(lc))->rinfo = rinfo;
	return list;
}

/* Do the conditions of a list of DncPushed exclude all entries? */
bool
dnc_qual_is_never(List *pushed)
{
	const Const *value = list_length(pushed) == 1
		? (const Const *) ((DncPushed *) linitial(pushed))->value : NULL;

	return value && IsA(value, Const) && value->constisnull;
}

/* The condition on a column in a list of DncPushed; NULL: there is none. */
DncPushed *
dnc_qual_find(List *pushed, DncColumn column)
{
	ListCell   *lc;

	foreach(lc, pushed)
	{
		if (((DncPushed *) lfirst(lc))->column == column)
			return lfirst(lc);
	}
	return NULL;
}

/* The rank of a condition; lower ranks narrow more: one value, several, a pattern. */
static int
rank_of(const DncPushed *pushed)
{
	return pushed->op != DNC_OP_EQ ? 2 : pushed->is_array ? 1 : 0;
}

/* Is a clause FALSE or NULL for all entries, because of the columns that they share? */
static bool
is_never(const MatchContext *context, RestrictInfo *rinfo)
{
	return dnc_constants_is_never(dnc_constants_reduce(context->root, (Node *) rinfo->clause,
													   context->rel->relid, context->options,
													   context->map));
}

/* Make the condition for a clause that no entry meets: a column is NULL. */
static DncPushed *
make_never(RestrictInfo *rinfo)
{
	DncPushed  *pushed = make_pushed(DNC_COL_SOURCE, DNC_OP_EQ,
									 (Expr *) makeNullConst(TEXTOID, -1, InvalidOid), false);

	pushed->rinfo = rinfo;
	return pushed;
}

/*
 * The conditions of some clauses (RestrictInfos) that can go into the requests of a scan, at
 * most one for each column: a list of DncPushed, palloc'd.  If no entry can meet one of the
 * clauses, the list holds only the condition for that clause.
 */
List *
dnc_qual_pushable(PlannerInfo *root, RelOptInfo *rel, List *clauses, const DncOptions *options,
				  const DncColumnMap *map)
{
	MatchContext context = {root, rel, options, map, false};
	List	   *matches = NIL;
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

		/* EXPLAIN ANALYZE would show how many matching entries a view hides. */
		if (!restriction_is_securely_promotable(rinfo, rel))
			continue;
		if (is_never(&context, rinfo))
			return list_make1(make_never(rinfo));
		matches = match_clause(&context, rinfo, matches);
	}
	for (int rank = 0; rank < 3; rank++)
	{
		foreach(lc, matches)
		{
			DncPushed  *pushed = lfirst(lc);

			if (rank_of(pushed) == rank && dnc_qual_find(result, pushed->column) == NULL)
				result = lappend(result, pushed);
		}
	}
	return result;
}

/* The clauses "column = value" of a table, on any column: a list of DncPushed, palloc'd. */
List *
dnc_qual_equalities(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options,
					const DncColumnMap *map)
{
	MatchContext context = {root, rel, options, map, true};
	List	   *equalities = NIL;
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		DncPushed  *pushed = IsA(rinfo->clause, OpExpr)
			? match_equality(&context, castNode(OpExpr, rinfo->clause)) : NULL;

		if (pushed)
			equalities = lappend(equalities, pushed);
	}
	return equalities;
}

/* ec_matches_callback_type: is this a column on which a request can filter? */
static bool
is_filter_member(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec, EquivalenceMember *em,
				 void *arg)
{
	return filter_column(arg, em->em_expr) != DNC_COL_NONE;
}

/*
 * The join clauses with which each row of other tables could ask for its entries: a list of
 * RestrictInfo, palloc'd.
 */
List *
dnc_qual_join_clauses(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options,
					  const DncColumnMap *map)
{
	MatchContext context = {root, rel, options, map, false};
	List	   *candidates = list_copy(rel->joininfo);
	List	   *clauses = NIL;
	ListCell   *lc;

	if (rel->has_eclass_joins)
		candidates = list_concat(candidates,
								 generate_implied_equalities_for_column(root, rel,
																		is_filter_member,
																		&context,
																		rel->lateral_referencers));
	foreach(lc, candidates)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

		if (join_clause_is_movable_to(rinfo, rel) && match_clause(&context, rinfo, NIL) != NIL)
			clauses = lappend(clauses, rinfo);
	}
	return clauses;
}
