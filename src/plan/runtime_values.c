/*-------------------------------------------------------------------------
 *
 * runtime_values.c
 *		The conditions of a scan's plan, and their values.
 *
 * The planner leaves a column, an operator and an expression for each condition.  We
 * evaluate the expressions when the scan begins, and each time that it begins again.
 * Their values become the texts that we send.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

#include "plan/plan_private.h"
#include "plan/runtime_values.h"

/* A condition, and the way to evaluate its value and to read it as text. */
typedef struct PlanCondition
{
	DncColumn	column;
	DncOp		op;
	bool		is_array;
	bool		varies;			/* the value may differ when the scan runs again */
	Expr	   *expression;
	ExprState  *value;
	Oid			type;			/* of the value, or of the array's elements */
	int16		length;			/* of the type, for arrays */
	bool		by_value;
	char		align;
	FmgrInfo	output;
} PlanCondition;

struct DncRuntimeValues
{
	int			count;
	PlanCondition list[FLEXIBLE_ARRAY_MEMBER];
};

/* Does an expression contain a parameter that changes while a query runs? */
static bool
has_exec_param(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return castNode(Param, node)->paramkind == PARAM_EXEC;
	return expression_tree_walker(node, has_exec_param, context);
}

/* Set up the way to read values of a type, or of its elements, as texts. */
static void
prepare_texts(PlanCondition *condition, Oid type, bool is_array)
{
	Oid			output;
	bool		varlena;

	condition->is_array = is_array;
	condition->type = is_array ? get_base_element_type(type) : type;
	get_typlenbyvalalign(condition->type, &condition->length, &condition->by_value,
						 &condition->align);
	getTypeOutputInfo(condition->type, &output, &varlena);
	fmgr_info(output, &condition->output);
}

/*
 * Set up the conditions of a plan, for expressions that are evaluated as part of parent.
 * palloc'd in the current context, which must be the executor's.
 */
DncRuntimeValues *
dnc_runtime_values_make(ForeignScan *plan, PlanState *parent)
{
	int			count = list_length(plan->fdw_exprs);
	DncRuntimeValues *conditions = palloc0(offsetof(DncRuntimeValues, list) +
										   sizeof(PlanCondition) * count);

	conditions->count = count;
	for (int i = 0; i < count; i++)
	{
		PlanCondition *condition = &conditions->list[i];
		bool		is_array = list_nth_int(list_nth(plan->fdw_private, DNC_PLAN_ARRAYS), i) != 0;

		condition->column = list_nth_int(list_nth(plan->fdw_private, DNC_PLAN_COLUMNS), i);
		condition->op = list_nth_int(list_nth(plan->fdw_private, DNC_PLAN_OPS), i);
		condition->expression = list_nth(plan->fdw_exprs, i);
		condition->value = ExecInitExpr(condition->expression, parent);
		condition->varies = has_exec_param((Node *) condition->expression, NULL);
		prepare_texts(condition, exprType((Node *) condition->expression), is_array);
	}
	return conditions;
}

/* May the values differ when the scan runs again? */
bool
dnc_runtime_values_vary(const DncRuntimeValues *conditions)
{
	for (int i = 0; i < conditions->count; i++)
	{
		if (conditions->list[i].varies)
			return true;
	}
	return false;
}

/* The number of conditions. */
int
dnc_runtime_values_count(const DncRuntimeValues *conditions)
{
	return conditions->count;
}

/* The values of a condition, as texts, from the result of its expression. */
static List *
value_texts(PlanCondition *condition, Datum value, bool isnull)
{
	List	   *texts = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	if (isnull)
		return NIL;
	if (!condition->is_array)
		return list_make1(OutputFunctionCall(&condition->output, value));
	deconstruct_array(DatumGetArrayTypeP(value), condition->type, condition->length,
					  condition->by_value, condition->align, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
			texts = lappend(texts, OutputFunctionCall(&condition->output, elements[i]));
	}
	return texts;
}

/* The conditions with their current values; an array, palloc'd. */
DncCondition *
dnc_runtime_values_evaluate(DncRuntimeValues *conditions, ExprContext *econtext)
{
	DncCondition *result = palloc0(sizeof(DncCondition) * Max(conditions->count, 1));

	for (int i = 0; i < conditions->count; i++)
	{
		PlanCondition *condition = &conditions->list[i];
		bool		isnull;
		Datum		value = ExecEvalExpr(condition->value, econtext, &isnull);

		result[i].column = condition->column;
		result[i].op = condition->op;
		result[i].any = condition->is_array;
		result[i].values = value_texts(condition, value, isnull);
	}
	return result;
}

/*
 * Move the evaluated conditions whose values stay the same to the front, without lookups, and
 * return their number.  We use these if we read the list instead of looking values up.
 */
int
dnc_runtime_values_keep_fixed(const DncRuntimeValues *conditions, DncCondition *evaluated)
{
	int			count = 0;

	for (int i = 0; i < conditions->count; i++)
	{
		if (!conditions->list[i].varies &&
			!dnc_filter_is_lookup(evaluated[i].column, evaluated[i].op))
			evaluated[count++] = evaluated[i];
	}
	return count;
}

/* The values of a constant, or of its elements, as texts, for the planner. */
List *
dnc_runtime_values_of_const(const Const *value, bool is_array)
{
	PlanCondition condition = {0};

	prepare_texts(&condition, value->consttype, is_array);
	return value_texts(&condition, value->constvalue, value->constisnull);
}

/*
 * The single value, UTF-8, that evaluated conditions leave for a column; NULL: there may be
 * several.
 */
const char *
dnc_runtime_values_only_value(const DncRuntimeValues *conditions, const DncCondition *evaluated,
							  DncColumn column)
{
	for (int i = 0; i < conditions->count; i++)
	{
		if (evaluated[i].column == column && evaluated[i].op == DNC_OP_EQ &&
			list_length(evaluated[i].values) == 1)
		{
			const char *value = linitial(evaluated[i].values);

			return pg_server_to_any(value, strlen(value), PG_UTF8);
		}
	}
	return NULL;
}

/*
 * The conditions as far as we know them without running the plan: "$1" stands for a value that
 * is only known at run time.  An array, palloc'd.
 */
DncCondition *
dnc_runtime_values_planned(DncRuntimeValues *conditions)
{
	DncCondition *result = palloc0(sizeof(DncCondition) * Max(conditions->count, 1));
	int			run_time_values = 0;

	for (int i = 0; i < conditions->count; i++)
	{
		PlanCondition *condition = &conditions->list[i];

		result[i].column = condition->column;
		result[i].op = condition->op;
		if (IsA(condition->expression, Const))
		{
			Const	   *constant = castNode(Const, condition->expression);

			result[i].values = value_texts(condition, constant->constvalue, constant->constisnull);
		}
		else
		{
			result[i].placeholder = true;
			result[i].values = list_make1(psprintf(condition->is_array ? "ANY($%d)" : "$%d",
												   ++run_time_values));
		}
	}
	return result;
}
