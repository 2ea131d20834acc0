/*-------------------------------------------------------------------------
 *
 * constants.c
 *		Columns with the same value for all entries of a list: the server's name, and constants of
 *		the provider.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"

#include "plan/constants.h"

typedef struct ConstantsContext
{
	Index		relid;
	const DncOptions *options;
	const DncColumnMap *map;
} ConstantsContext;

/* The text that all entries have in a column of the table; NULL: not known. */
const char *
dnc_constants_text(const Var *var, const DncOptions *options, const DncColumnMap *map)
{
	const DncField *field;
	DncColumn	column;

	if (var->varattno <= 0 || (var->vartype != TEXTOID && var->vartype != VARCHAROID) ||
		var->vartypmod >= 0)
		return NULL;
	column = map->columns[var->varattno - 1];
	if (column == DNC_COL_SOURCE)
		return options->server_name;
	field = dnc_provider_field(options->provider, column);
	return field && field->name == NULL ? field->constant : NULL;
}

/* Replace columns by the text that all entries share. */
static Node *
put_constants_in(Node *node, void *arg)
{
	ConstantsContext *context = arg;
	const char *text = NULL;
	Var		   *var;

	if (node == NULL)
		return NULL;
	if (!IsA(node, Var))
		return expression_tree_mutator(node, put_constants_in, arg);
	var = castNode(Var, node);
	if (var->varno == (int) context->relid && var->varlevelsup == 0)
		text = dnc_constants_text(var, context->options, context->map);
	if (text == NULL)
		return (Node *) copyObject(var);
	return (Node *) makeConst(var->vartype, var->vartypmod, var->varcollid, -1,
							  CStringGetTextDatum(text), false, false);
}

/*
 * Put the texts that all entries of table relid share into an expression, and evaluate it as
 * far as that needs no entry; palloc'd.  root may be NULL.
 */
Node *
dnc_constants_reduce(PlannerInfo *root, Node *expression, Index relid, const DncOptions *options,
					 const DncColumnMap *map)
{
	ConstantsContext context = {relid, options, map};

	return eval_const_expressions(root, put_constants_in(expression, &context));
}

/* Is a clause FALSE or NULL for every entry? */
bool
dnc_constants_is_never(const Node *clause)
{
	return IsA(clause, Const) &&
		(((const Const *) clause)->constisnull ||
		 !DatumGetBool(((const Const *) clause)->constvalue));
}

/* Is a clause TRUE for every entry? */
bool
dnc_constants_is_always(const Node *clause)
{
	return IsA(clause, Const) && !dnc_constants_is_never(clause);
}
