/*-------------------------------------------------------------------------
 *
 * guard.c
 *		Values that we evaluate before a scan, and the conditions that guard them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"

#include "plan/guard.h"

/* Can we evaluate an expression before a scan of this table begins? */
bool
dnc_guard_is_run_time_value(PlannerInfo *root, RelOptInfo *rel, Expr *expr)
{
	return !bms_is_member(rel->relid, pull_varnos(root, (Node *) expr)) &&
		!contain_volatile_functions((Node *) expr) &&
		!contain_subplans((Node *) expr);
}

/* The clause of an arm of an OR, or of a member of an arm. */
Node *
dnc_guard_clause_of(Node *node)
{
	return IsA(node, RestrictInfo) ? (Node *) castNode(RestrictInfo, node)->clause : node;
}

/* Is a clause a comparison of columns, parameters and constants that never raises an error? */
static bool
cannot_fail(const Node *clause)
{
	ListCell   *lc;

	if (!IsA(clause, OpExpr) || !get_func_leakproof(((const OpExpr *) clause)->opfuncid))
		return false;
	foreach(lc, ((const OpExpr *) clause)->args)
	{
		const Node *argument = lfirst(lc);

		while (IsA(argument, RelabelType))
			argument = (const Node *) ((const RelabelType *) argument)->arg;
		if (!IsA(argument, Var) && !IsA(argument, Param) && !IsA(argument, Const))
			return false;
	}
	return true;
}

/*
 * The members of an arm that guard its value: those that do not use the table.  A member that
 * could raise an error must stand before all members that use the table, because PostgreSQL
 * evaluates later members only for some entries.
 */
static List *
guards_of(PlannerInfo *root, RelOptInfo *rel, Node *arm)
{
	List	   *guards = NIL;
	bool		in_front = true;
	ListCell   *lc;

	arm = dnc_guard_clause_of(arm);
	if (!is_andclause(arm))
		return NIL;
	foreach(lc, castNode(BoolExpr, arm)->args)
	{
		Node	   *member = dnc_guard_clause_of(lfirst(lc));

		if (!dnc_guard_is_run_time_value(root, rel, (Expr *) member))
			in_front = false;
		else if (in_front || cannot_fail(member))
			guards = lappend(guards, member);
	}
	return guards;
}

/*
 * The value of an arm if its guards hold, and NULL otherwise: then the arm finds no entry.
 * PostgreSQL would not evaluate the value then either, and the value may raise an error.
 */
Expr *
dnc_guard_value(PlannerInfo *root, RelOptInfo *rel, Node *arm, Expr *value)
{
	List	   *guards = IsA(value, Const) ? NIL : guards_of(root, rel, arm);
	CaseWhen   *when;
	CaseExpr   *guarded;

	if (guards == NIL)
		return value;
	when = makeNode(CaseWhen);
	when->expr = make_ands_explicit(guards);
	when->result = value;
	when->location = -1;
	guarded = makeNode(CaseExpr);
	guarded->casetype = exprType((Node *) value);
	guarded->casecollid = exprCollation((Node *) value);
	guarded->args = list_make1(when);
	guarded->defresult = (Expr *) makeNullConst(guarded->casetype, exprTypmod((Node *) value),
												guarded->casecollid);
	guarded->location = -1;
	return (Expr *) guarded;
}
