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

/* What a scan that counts gives. */
typedef struct DncCounting
{
	List	   *columns;		/* Aggref: a count; Var: a column that its rows share, or the type */
	List	   *fills;			/* how each of them is filled (DNC_PLAN_COUNTS) */
	List	   *types;			/* String: a row for each of these types, and others if there are
								 * any; NIL: one row */
} DncCounting;

/* In the lists of how columns are filled; a String is the text that all rows have there. */
#define DNC_FILL_COUNT 0
#define DNC_FILL_TYPE 1

extern bool dnc_count_pushdown_is_total(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options,
										const DncColumnMap *map, List *pushed,
										DncCounting *counting);

#endif							/* DNC_COUNT_PUSHDOWN_H */
