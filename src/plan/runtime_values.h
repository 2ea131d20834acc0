/*-------------------------------------------------------------------------
 *
 * runtime_values.h
 *		The conditions of a scan's plan, and their values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_RUNTIME_VALUES_H
#define DNC_RUNTIME_VALUES_H

#include "nodes/execnodes.h"

#include "list/filter.h"

typedef struct DncRuntimeValues DncRuntimeValues;

extern DncRuntimeValues *dnc_runtime_values_make(ForeignScan *plan, PlanState *parent);
extern bool dnc_runtime_values_vary(const DncRuntimeValues *conditions);
extern int	dnc_runtime_values_count(const DncRuntimeValues *conditions);
extern DncCondition *dnc_runtime_values_evaluate(DncRuntimeValues *conditions, ExprContext *econtext);
extern int	dnc_runtime_values_keep_fixed(const DncRuntimeValues *conditions,
										  DncCondition *evaluated);
extern List *dnc_runtime_values_of_const(const Const *value, bool is_array);
extern const char *dnc_runtime_values_only_value(const DncRuntimeValues *conditions,
												 const DncCondition *evaluated, DncColumn column);
extern DncCondition *dnc_runtime_values_planned(DncRuntimeValues *conditions);

#endif							/* DNC_RUNTIME_VALUES_H */
