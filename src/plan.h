/*-------------------------------------------------------------------------
 *
 * plan.h
 *		Paths and plans for scans.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PLAN_H
#define DNC_PLAN_H

#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"

/*
 * What a scan's plan carries in fdw_private.  The values of the conditions are
 * in fdw_exprs, in the same order, so that the executor can evaluate them.
 * Options and token are not here: they are looked up when the plan is run.
 */
typedef enum DncPlanPrivate
{
	DNC_PLAN_COLUMNS,			/* integer list: DncColumn of each condition */
	DNC_PLAN_OPS,				/* integer list: DncOp of each condition */
	DNC_PLAN_NEEDED				/* integer list: attribute numbers to be decoded */
} DncPlanPrivate;

extern void dnc_plan_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern void dnc_plan_paths(PlannerInfo *root, RelOptInfo *rel);
extern bool dnc_plan_is_async_capable(const ForeignPath *path);
extern ForeignScan *dnc_plan_scan(RelOptInfo *rel, List *tlist, List *clauses,
								  Plan *outer_plan);

#endif							/* DNC_PLAN_H */
