/*-------------------------------------------------------------------------
 *
 * estimate.c
 *		How many requests a scan is expected to take, and how many entries it gets.
 *
 * The rules are those of filter.c, which makes the requests: here they are asked for values
 * as far as the planner knows them.
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

/* Does a value of this find its few entries with a request of its own? */
bool
dnc_estimate_is_lookup(const DncPushed *pushed)
{
	return dnc_filter_is_lookup(pushed->column, pushed->op);
}

/*
 * Is it worth a request to find out whether the list has one page only?  Not where statistics
 * tell its size, nor in a query that ends after some rows.
 */
bool
dnc_estimate_may_be_short(PlannerInfo *root, bool analyzed)
{
	return !analyzed && root->limit_tuples < 0;
}

/*
 * Which part of the list a condition keeps.  Without statistics PostgreSQL
 * takes each of 200 values to be as frequent, which is far off for the few
 * types that there are.
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

/* Has a condition a value that is known only when the scan is run? */
static bool
is_placeholder(const DncPushed *pushed)
{
	return !IsA(pushed->value, Const);
}

/* Is there a value in an expression that changes while a query is run? */
static bool
varies(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var) || (IsA(node, Param) && castNode(Param, node)->paramkind == PARAM_EXEC))
		return true;
	return expression_tree_walker(node, varies, context);
}

/* The conditions of a list of DncPushed as far as they are known: an array, palloc'd. */
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

/* How many values of a condition narrow the requests of some chains; 0: it does not. */
static double
values_sent(PlannerInfo *root, const DncChains *chains, const DncPushed *pushed)
{
	int			values = dnc_filter_values(chains, pushed->column);

	if (values > 0 && pushed->is_array && is_placeholder(pushed))
		return dnc_estimate_array_length(root, (Node *) pushed->value);
	return values;
}

/* The pages that so many entries of a list are expected to take, by the newest of the provider's APIs. */
static double
pages_of(const DncOptions *options, double entries)
{
	return options->provider->list.pagings[0]->style == DNC_PAGING_NUMBER
		? dnc_page_numbers_expected(options, entries) : ceil(entries / options->page_size);
}

/*
 * Estimate a scan that sends these conditions.  list_requests is the number of requests
 * beyond which values are not looked up one by one.
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
 * The requests that reading the list is expected to take in place of lookups: it is narrowed
 * only by conditions of a single value that stays the same.
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
 * Estimate a scan that sends these conditions.  If the values of an array turn out to be more
 * than the list has pages, the list is read.
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
