/*-------------------------------------------------------------------------
 *
 * count_pushdown.c
 *		count(*) from the total that comes with a list: one request.
 *
 * Only where the total counts just what the query would: each clause of the one table is
 * matched exactly by the remote filter, and the grouping step needs nothing but the count
 * and columns that are the same for all entries.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/value.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planmain.h"
#include "optimizer/tlist.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "compat.h"
#include "config/registry.h"
#include "plan/constants.h"
#include "plan/count_pushdown.h"
#include "plan/qual.h"

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

/* Are all rows of the table in one group, by columns that are the same for all entries? */
static bool
is_one_group(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options, const DncColumnMap *map)
{
	ListCell   *lc;

	foreach(lc, root->parse->groupClause)
	{
		Node	   *expression = get_sortgroupclause_expr(lfirst(lc), root->parse->targetList);

		if (!IsA(dnc_constants_reduce(root, expression, rel->relid, options, map), Const))
			return false;
	}
	return true;
}

/*
 * What the grouping step needs, its output and HAVING, in *columns: counts (Aggref), and
 * columns that are the same for all entries (Var).  False: it needs more than that.
 */
static bool
find_columns(PlannerInfo *root, const DncOptions *options, const DncColumnMap *map, List **columns)
{
	Query	   *parse = root->parse;
	List	   *needed = list_copy(root->upper_targets[UPPERREL_GROUP_AGG]->exprs);
	ListCell   *lc;

	if (!parse->hasAggs || parse->groupingSets || parse->hasTargetSRFs)
		return false;
	needed = list_concat_copy(needed, (List *) parse->havingQual);
	*columns = NIL;
	foreach(lc, pull_var_clause((Node *) needed, PVC_INCLUDE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS |
								PVC_INCLUDE_PLACEHOLDERS))
	{
		Node	   *node = lfirst(lc);

		if (IsA(node, Aggref) ? !is_plain_count(castNode(Aggref, node))
			: !IsA(node, Var) || dnc_constants_text(castNode(Var, node), options, map) == NULL)
			return false;
		*columns = list_append_unique(*columns, node);
	}
	return *columns != NIL;
}

/*
 * Does the remote filter keep exactly the entries that a condition keeps?  It does for a
 * type that the provider documents, and where no entry can match.
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
 * Does a condition that is sent match each clause of a table exactly?  A clause that all
 * entries meet needs none; one that no entry meets is enough.
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

/*
 * Can the grouping step over a table be replaced by the list's total?  pushed are the
 * conditions of the table's clauses that can go into its requests.  *columns is what the
 * scan has to give then: counts (Aggref), and columns that all entries share (Var).
 */
bool
dnc_count_pushdown_is_total(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options,
							const DncColumnMap *map, List *pushed, List **columns)
{
	return rel->reloptkind == RELOPT_BASEREL && dnc_provider_has_total(options->provider) &&
		find_columns(root, options, map, columns) && is_one_group(root, rel, options, map) &&
		all_exact(root, rel, options, map, pushed);
}

/*
 * How a scan fills these columns, for its plan: a String is the text of a column that all
 * entries share, an Integer stands for the count.
 */
List *
dnc_count_pushdown_texts(List *columns, const DncOptions *options, const DncColumnMap *map)
{
	List	   *texts = NIL;
	ListCell   *lc;

	foreach(lc, columns)
	{
		Node	   *node = lfirst(lc);

		if (IsA(node, Var))
			texts = lappend(texts, makeString(pstrdup(dnc_constants_text(castNode(Var, node),
																		 options, map))));
		else
			texts = lappend(texts, makeInteger(0));
	}
	return texts;
}
