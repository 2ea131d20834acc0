/*-------------------------------------------------------------------------
 *
 * count_pushdown.c
 *		count(*) from the total that comes with a list: one request.
 *
 * We do this only if the total counts exactly the same entries as the query: the remote
 * filter matches each clause of the single table exactly, and the grouping step needs
 * only the count and columns that are the same for all entries.
 *
 * GROUP BY identifier_type takes the totals of the types that the vendor documents, and
 * the total of the list.  If they differ, the list has other types, and the scan reads
 * it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/value.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planmain.h"
#include "optimizer/tlist.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "config/registry.h"
#include "plan/constants.h"
#include "plan/count_pushdown.h"
#include "plan/qual.h"

/* The table whose entries we count. */
typedef struct CountContext
{
	PlannerInfo *root;
	RelOptInfo *rel;
	const DncOptions *options;
	const DncColumnMap *map;
	const char *type;			/* the only type that we count; NULL: all */
	bool		by_type;		/* the query wants a row for each type */
} CountContext;

/* Is an aggregate the number of rows: count(*), or count() of a constant? */
static bool
is_plain_count(const Aggref *count)
{
	const TargetEntry *argument;

	if (count->agglevelsup != 0 || count->aggfilter || count->aggdistinct || count->aggorder)
		return false;
	if (count->aggfnoid == F_COUNT_)
		return count->aggstar;
	if (count->aggfnoid != F_COUNT_ANY)
		return false;
	argument = linitial(count->args);
	return IsA(argument->expr, Const) && !((const Const *) argument->expr)->constisnull;
}

/*
 * Does the remote filter keep exactly the entries that a condition keeps?  It does for a type
 * that the provider documents, and if no entry can match.
 */
static bool
is_exact(const DncOptions *options, const DncPushed *pushed)
{
	const DncProvider *provider = options->provider;
	const Const *value = (const Const *) pushed->value;
	const char *type;

	if (pushed->op != DNC_OP_EQ || pushed->is_array || !IsA(value, Const) ||
		(exprType((Node *) value) != TEXTOID && !value->constisnull))
		return false;
	if (value->constisnull || pushed->column == DNC_COL_SOURCE)
		return true;
	type = TextDatumGetCString(value->constvalue);
	return pushed->column == DNC_COL_IDENTIFIER_TYPE &&
		(dnc_provider_has_type(provider, type) || dnc_registry_lacks_type(provider, type));
}

/*
 * Does the condition that we send match each clause of a table exactly?  A clause that all
 * entries meet needs no condition; a single clause that no entry meets is enough.
 */
static bool
all_exact(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options, const DncColumnMap *map,
		  List *pushed)
{
	ListCell   *lc;

	if (dnc_qual_is_never(pushed))
		return true;
	foreach(lc, rel->baserestrictinfo)
	{
		Node	   *clause = (Node *) lfirst_node(RestrictInfo, lc)->clause;
		bool		exact = dnc_constants_is_always(dnc_constants_reduce(root, clause, rel->relid,
																		 options, map));
		ListCell   *lc2;

		foreach(lc2, pushed)
		{
			DncPushed  *condition = lfirst(lc2);

			exact = exact || (condition->rinfo == lfirst(lc) && is_exact(options, condition));
		}
		if (!exact)
			return false;
	}
	return true;
}

/* Is an expression the column for the type, compared as the remote filter compares it? */
static bool
is_type(const CountContext *context, const Node *node)
{
	const Var  *var = (const Var *) node;
	const DncProvider *provider = context->options->provider;

	if (!IsA(node, Var) || var->varno != (int) context->rel->relid || var->varattno <= 0 ||
		context->map->columns[var->varattno - 1] != DNC_COL_IDENTIFIER_TYPE ||
		(var->vartype != TEXTOID && var->vartype != VARCHAROID) || var->vartypmod >= 0 ||
		!OidIsValid(var->varcollid) || !get_collation_isdeterministic(var->varcollid))
		return false;
	for (int i = 0; i < provider->nfilters; i++)
	{
		if (provider->filters[i].column == DNC_COL_IDENTIFIER_TYPE)
			return true;
	}
	return false;
}

/* The text that all counted entries have in a column; NULL: they may differ. */
static const char *
shared_text(const CountContext *context, const Node *node)
{
	if (context->type && is_type(context, node))
		return context->type;
	return IsA(node, Var) ? dnc_constants_text((const Var *) node, context->options, context->map)
		: NULL;
}

/*
 * Does the query group by columns that are the same for all entries, and perhaps by the type?
 * Sets context->by_type.
 */
static bool
find_groups(CountContext *context)
{
	Query	   *parse = context->root->parse;
	ListCell   *lc;

	foreach(lc, parse->groupClause)
	{
		Node	   *expression = get_sortgroupclause_expr(lfirst(lc), parse->targetList);

		if (shared_text(context, expression) ||
			IsA(dnc_constants_reduce(context->root, expression, context->rel->relid,
									 context->options, context->map), Const))
			continue;
		if (!is_type(context, expression))
			return false;
		context->by_type = true;
	}
	return true;
}

/* The way to fill a column of a scan, for its plan; NULL: the total does not give the column. */
static Node *
fill_of(const CountContext *context, Node *node)
{
	const char *text;

	if (IsA(node, Aggref))
		return is_plain_count(castNode(Aggref, node)) ? (Node *) makeInteger(DNC_FILL_COUNT) : NULL;
	text = shared_text(context, node);
	if (text)
		return (Node *) makeString(pstrdup(text));
	return context->by_type && is_type(context, node) ? (Node *) makeInteger(DNC_FILL_TYPE) : NULL;
}

/*
 * Find the columns that the grouping step needs, for its output and HAVING.  False: the total
 * does not give all of them.
 */
static bool
find_columns(const CountContext *context, DncCounting *counting)
{
	Query	   *parse = context->root->parse;
	List	   *needed = context->root->upper_targets[UPPERREL_GROUP_AGG]->exprs;
	ListCell   *lc;

	if (!(parse->hasAggs || parse->groupClause) || parse->groupingSets || parse->hasTargetSRFs)
		return false;
	needed = list_concat_copy(needed, (List *) parse->havingQual);
	foreach(lc, pull_var_clause((Node *) needed, PVC_INCLUDE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS |
								PVC_INCLUDE_PLACEHOLDERS))
	{
		Node	   *fill = fill_of(context, lfirst(lc));

		if (fill == NULL)
			return false;
		if (list_member(counting->columns, lfirst(lc)))
			continue;
		counting->columns = lappend(counting->columns, lfirst(lc));
		counting->fills = lappend(counting->fills, fill);
	}
	return counting->columns != NIL;
}

/* The types that a provider documents, as a list of String. */
static List *
documented_types(const DncProvider *provider)
{
	List	   *types = NIL;

	for (const char *const *type = provider->identifier_types; *type; type++)
		types = lappend(types, makeString(pstrdup(*type)));
	return types;
}

/* The only type that exact conditions leave in the list; NULL: there is no such condition. */
static const char *
only_type(const DncOptions *options, List *pushed)
{
	const DncPushed *condition = dnc_qual_find(pushed, DNC_COL_IDENTIFIER_TYPE);

	if (condition == NULL || !is_exact(options, condition))
		return NULL;
	return TextDatumGetCString(((const Const *) condition->value)->constvalue);
}

/*
 * Can totals of its list replace the grouping step over a table?  pushed are the conditions of
 * the table's clauses that can go into its requests.  If so, *counting is the result that the
 * scan must give.
 */
bool
dnc_count_pushdown_is_total(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options,
							const DncColumnMap *map, List *pushed, DncCounting *counting)
{
	CountContext context = {root, rel, options, map, NULL, false};

	memset(counting, 0, sizeof(*counting));
	if (rel->reloptkind != RELOPT_BASEREL || !dnc_provider_has_total(options->provider) ||
		!all_exact(root, rel, options, map, pushed))
		return false;
	context.type = only_type(options, pushed);
	if (!find_groups(&context) || !find_columns(&context, counting))
		return false;
	/* The totals of types cannot take other conditions into account. */
	if (context.by_type)
		counting->types = documented_types(options->provider);
	return !context.by_type || pushed == NIL;
}
