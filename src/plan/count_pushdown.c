/*-------------------------------------------------------------------------
 *
 * count_pushdown.c
 *		count(*) from the total that comes with a list: one request.
 *
 * Only where the total counts just what the query would: a plain count(*) of
 * one table, whose every clause the remote filter matches exactly.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/pathnode.h"
#include "optimizer/planmain.h"
#include "optimizer/tlist.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "compat.h"
#include "config/registry.h"
#include "plan/count_pushdown.h"
#include "plan/qual.h"

/* Does the grouping step give count(*), and nothing else? */
static bool
is_plain_count(PlannerInfo *root)
{
	PathTarget *target = root->upper_targets[UPPERREL_GROUP_AGG];
	Query	   *parse = root->parse;
	Aggref	   *count;

	if (parse->groupClause || parse->groupingSets || root->hasHavingQual ||
		list_length(target->exprs) != 1 || !IsA(linitial(target->exprs), Aggref))
		return false;
	count = linitial_node(Aggref, target->exprs);
	return count->aggfnoid == F_COUNT_ && count->aggstar && count->aggfilter == NULL &&
		count->agglevelsup == 0;
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

/* Does a condition that is sent match each clause of a table exactly? */
static bool
all_exact(RelOptInfo *rel, const DncOptions *options, List *pushed)
{
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		bool		exact = false;
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
 * conditions of the table's clauses that can go into its requests.
 */
bool
dnc_count_pushdown_is_total(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options, List *pushed)
{
	return rel->reloptkind == RELOPT_BASEREL && dnc_provider_has_total(options->provider) &&
		is_plain_count(root) && all_exact(rel, options, pushed);
}
