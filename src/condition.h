/*-------------------------------------------------------------------------
 *
 * condition.h
 *		The conditions of a scan's plan, and their values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_CONDITION_H
#define DNC_CONDITION_H

#include "nodes/execnodes.h"

#include "chain.h"

typedef struct DncPlanConditions DncPlanConditions;

extern DncPlanConditions *dnc_conditions_make(ForeignScan *plan, PlanState *parent);
extern bool dnc_conditions_vary(const DncPlanConditions *conditions);
extern int	dnc_conditions_count(const DncPlanConditions *conditions);
extern DncCondition *dnc_conditions_evaluate(DncPlanConditions *conditions, ExprContext *econtext);
extern const char *dnc_conditions_only_value(const DncPlanConditions *conditions,
											 const DncCondition *evaluated, DncColumn column);
extern DncCondition *dnc_conditions_planned(DncPlanConditions *conditions);

#endif							/* DNC_CONDITION_H */
