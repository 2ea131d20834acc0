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

#include "plan/plan_private.h"

extern void dnc_plan_rel_size(PlannerInfo *root, RelOptInfo *rel, Oid relid);
extern void dnc_plan_paths(PlannerInfo *root, RelOptInfo *rel);
extern void dnc_plan_count(PlannerInfo *root, RelOptInfo *input_rel, RelOptInfo *output_rel);
extern double dnc_plan_expected_requests(const ForeignScan *plan);
extern Oid	dnc_plan_counted_table(const ForeignScan *plan);
extern bool dnc_plan_is_async_capable(const ForeignPath *path);
extern ForeignScan *dnc_plan_scan(PlannerInfo *root, RelOptInfo *rel, ForeignPath *path,
								  List *tlist, List *clauses, Plan *outer_plan);
extern ForeignScan *dnc_plan_count_scan(ForeignPath *path, List *tlist);

#endif							/* DNC_PLAN_H */
