/*-------------------------------------------------------------------------
 *
 * reruns.c
 *		Can a plan run one of its scans more than once?
 *
 * The executor's flags do not say so.  EXEC_FLAG_REWIND asks a node to be good at it,
 * but a join, a sort or a window function does not pass the flag on.  So we look at the
 * place of the scan in the plan.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/plannodes.h"

#include "scan/reruns.h"

/* The way in which a node of a plan runs. */
typedef struct Runs
{
	bool		several;		/* perhaps more than once */
	bool		rewound;		/* by a node that says so with EXEC_FLAG_REWIND */
} Runs;

static bool find_scan(const Plan *plan, Runs runs, const Plan *scan, bool *several);

/* Look for a scan below some nodes that all run in the same way. */
static bool
find_below(const List *plans, Runs runs, const Plan *scan, bool *several)
{
	ListCell   *lc;

	foreach(lc, plans)
	{
		if (find_scan(lfirst(lc), runs, scan, several))
			return true;
	}
	return false;
}

/* The way in which the inner side of a join, or the like, runs. */
static Runs
runs_of_inner(const Plan *plan, Runs runs)
{
	if (IsA(plan, NestLoop))
	{
		runs.several = true;
		runs.rewound = ((const NestLoop *) plan)->nestParams == NIL;
	}
	else if (IsA(plan, RecursiveUnion))
		runs.several = true;
	return runs;
}

/*
 * Look for a scan in a plan that runs in this way.  True: *several says whether the scan may
 * run more than once.
 */
static bool
find_scan(const Plan *plan, Runs runs, const Plan *scan, bool *several)
{
	Runs		below = {.several = runs.several};

	check_stack_depth();
	if (plan == NULL)
		return false;
	if (plan == scan)
	{
		*several = runs.several;
		return true;
	}
	switch (nodeTag(plan))
	{
		case T_Append:
			return find_below(((const Append *) plan)->appendplans, below, scan, several);
		case T_MergeAppend:
			return find_below(((const MergeAppend *) plan)->mergeplans, below, scan, several);
		case T_SubqueryScan:
			return find_scan(((const SubqueryScan *) plan)->subplan, below, scan, several);
		case T_CustomScan:
			below.several = true;	/* we do not know how often it runs them */
			return find_below(((const CustomScan *) plan)->custom_plans, below, scan, several);
		case T_Material:
			/* It keeps the rows itself, if it was told to and the rows do not vary. */
			if (runs.rewound && bms_is_empty(plan->allParam))
				below.several = false;
			break;
		default:
			break;
	}
	return find_scan(plan->lefttree, below, scan, several) ||
		find_scan(plan->righttree, runs_of_inner(plan, below), scan, several);
}

/*
 * Can a scan of a running query run more than once: below a correlated subquery, on the inner
 * side of a nested loop, in a recursive term?  A subquery without parameters from outside runs
 * once, because PostgreSQL keeps its result, except for subqueries that PostgreSQL rewinds.
 */
bool
dnc_reruns_are_possible(const EState *estate, const Plan *scan)
{
	const PlannedStmt *statement = estate->es_plannedstmt;
	bool		several = true;
	ListCell   *lc;

	if (statement == NULL || find_scan(statement->planTree, (Runs) {0}, scan, &several))
		return several;
	foreach(lc, statement->subplans)
	{
		const Plan *plan = lfirst(lc);
		bool		rewound = bms_is_member(foreach_current_index(lc) + 1, statement->rewindPlanIDs);
		Runs		runs = {.several = rewound || (plan && !bms_is_empty(plan->extParam)),
		.rewound = rewound};

		if (find_scan(plan, runs, scan, &several))
			return several;
	}
	return true;
}
