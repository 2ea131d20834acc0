/*-------------------------------------------------------------------------
 *
 * count_pushdown.h
 *		count(*) from the total that comes with a list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COUNT_PUSHDOWN_H
#define DNC_COUNT_PUSHDOWN_H

#include "nodes/pathnodes.h"

#include "config/option.h"

extern bool dnc_count_pushdown_is_total(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options,
										List *pushed);

#endif							/* DNC_COUNT_PUSHDOWN_H */
