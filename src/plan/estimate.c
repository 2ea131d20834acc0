/*-------------------------------------------------------------------------
 *
 * estimate.c
 *		The expected number of requests of a scan, and of the entries that it gets.
 *
 * The rules are those of filter.c, which makes the requests.  We apply them to values as
 * far as the planner knows them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"

#include "compat.h"
#include "list/filter.h"
#include "list/page_numbers.h"
#include "plan/estimate.h"
#include "plan/runtime_values.h"

/* Does each value of this condition find its few entries with its own request? */
bool
dnc_estimate_is_lookup(const DncPushed *pushed)
{
	return dnc_filter_is_lookup(pushed->column, pushed->op);
}

/*
 * Is a request worthwhile that finds out whether the list has only one page?  It is not if
 * statistics give the list's size, nor in a query that ends after some rows.
 */
bool
dnc_estimate_may_be_short(PlannerInfo *root, bool analyzed)
{
	return !analyzed && root->limit_tuples < 0;
}

/*
 * The part of the list that a condition keeps.  Without statistics, PostgreSQL assumes 200
 * equally frequent values, which is far off for the few types that there are.
 */
static double
selectivity_of(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options, bool analyzed,
			   const DncPushed *pushed, double values)
{
	if (analyzed || pushed->column != DNC_COL_IDENTIFIER_TYPE)
		return clause_selectivity(root, pushed->derived ? (Node *) pushed->derived
								  : (Node *) pushed->rinfo, rel->relid, JOIN_INNER, NULL);
	return Min(values / dnc_provider_count_types(options->provider), 1);
}

/* Does a condition have a value that we only know when the scan runs? */
static bool
is_placeholder(const DncPushed *pushed)
{
	return !IsA(pushed->value, Const);
}

/* Does an expression contain a value that changes while a query runs? */
static bool
varies(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var) || (IsA(node, Param) && castNode(Param, node)->paramkind == PARAM_EXEC))
		return true;
	return expression_tree_walker(node, varies, context);
}

/* The conditions of a list of DncPushed as far as we know them: an array, palloc'd. */
static DncCondition *
conditions_of(List *sent)
{
	DncCondition *conditions = palloc0(sizeof(DncCondition) * Max(list_length(sent), 1));
	DncCondition *condition = conditions;
	ListCell   *lc;

	foreach(lc, sent)
	{
		const DncPushed *pushed = lfirst(lc);

		condition->column = pushed->column;
		condition->op = pushed->op;
		condition->placeholder = is_placeholder(pushed);
		condition->values = condition->placeholder ? list_make1("$1")
			: dnc_runtime_values_of_const((const Const *) pushed->value, pushed->is_array);
		condition++;
	}
	return conditions;
}

/* The number of a condition's values that narrow the requests of some chains; 0: none does. */
static double
values_sent(PlannerInfo *root, const DncChains *chains, const DncPushed *pushed)
{
	int			values = dnc_filter_values(chains, pushed->column);

	if (values > 0 && pushed->is_array && is_placeholder(pushed))
		return dnc_estimate_array_length(root, (Node *) pushed->value);
	return values;
}

/* The expected pages for this many entries, by the newest of the provider's APIs. */
static double
pages_of(const DncOptions *options, double entries)
{
	return options->provider->list.pagings[0]->style == DNC_PAGING_NUMBER
		? dnc_page_numbers_expected(options, entries) : ceil(entries / options->page_size);
}

/*
 * Estimate a scan that sends these conditions.  If the values take more requests than
 * list_requests, we do not look them up one at a time.
 */
static DncEstimate
estimate_conditions(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options, bool analyzed,
					List *sent, double list_requests)
{
	DncChains  *chains = dnc_filter_chains(options, conditions_of(sent),
										   list_length(sent), list_requests);
	DncEstimate estimate = {.entries = rel->tuples};
	double		lookups = 0;
	double		types = 1;
	ListCell   *lc;

	if (chains->count == 0)
		return (DncEstimate) {0};
	foreach(lc, sent)
	{
		DncPushed  *pushed = lfirst(lc);
		double		values = values_sent(root, chains, pushed);

		if (values == 0)
			continue;
		if (dnc_estimate_is_lookup(pushed))
			lookups = Max(lookups, values);
		else
		{
			types = Max(types, values);
			estimate.entries *= selectivity_of(root, rel, options, analyzed, pushed, values);
		}
	}
	if (lookups > 0)
		return (DncEstimate) {.requests = lookups, .entries = lookups};
	estimate.entries = clamp_row_est(estimate.entries);
	estimate.requests = pages_of(options, estimate.entries) + types - 1;
	if (types >= DNC_FILTER_MANY_TYPES && dnc_estimate_may_be_short(root, analyzed))
		estimate.requests++;
	return estimate;
}

/*
 * The expected number of requests for reading the list instead of lookups.  Only conditions
 * with a single value that stays the same narrow the list then.
 */
double
dnc_estimate_list_requests(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options,
						   bool analyzed, List *sent)
{
	List	   *fixed = NIL;
	ListCell   *lc;

	foreach(lc, sent)
	{
		DncPushed  *pushed = lfirst(lc);

		if (!dnc_estimate_is_lookup(pushed) && !pushed->is_array && !varies((Node *) pushed->value, NULL))
			fixed = lappend(fixed, pushed);
	}
	return Max(estimate_conditions(root, rel, options, analyzed, fixed, DNC_ANY_NUMBER).requests, 1);
}

/*
 * Estimate a scan that sends these conditions.  If an array turns out to have more values than
 * the list has pages, the scan reads the list.
 */
DncEstimate
dnc_estimate_scan(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options, bool analyzed,
				  List *sent)
{
	double		list = dnc_estimate_list_requests(root, rel, options, analyzed, sent);
	DncEstimate estimate = estimate_conditions(root, rel, options, analyzed, sent, list);

	if (estimate.requests > list && dnc_qual_find(sent, DNC_COL_SEARCH) == NULL)
	{
		estimate.requests = list;
		estimate.entries = rel->tuples;
	}
	return estimate;
}
