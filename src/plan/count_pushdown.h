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
										const DncColumnMap *map, List *pushed, List **columns);
extern List *dnc_count_pushdown_texts(List *columns, const DncOptions *options,
									  const DncColumnMap *map);

#endif							/* DNC_COUNT_PUSHDOWN_H */
