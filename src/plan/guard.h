/*-------------------------------------------------------------------------
 *
 * guard.h
 *		Values that we evaluate before a scan, and the conditions that guard them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_GUARD_H
#define DNC_GUARD_H

#include "nodes/pathnodes.h"

extern bool dnc_guard_is_run_time_value(PlannerInfo *root, RelOptInfo *rel, Expr *expr);
extern Node *dnc_guard_clause_of(Node *node);
extern Expr *dnc_guard_value(PlannerInfo *root, RelOptInfo *rel, Node *arm, Expr *value);

#endif							/* DNC_GUARD_H */
