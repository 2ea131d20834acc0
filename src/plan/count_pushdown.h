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

/* The result of a scan that counts. */
typedef struct DncCounting
{
	List	   *columns;		/* Aggref: a count; Var: the type, or one that all rows share */
	List	   *fills;			/* how to fill each of them (DNC_PLAN_COUNTS) */
	List	   *types;			/* String: a row for each of these types, and for others if there
								 * are any; NIL: one row */
} DncCounting;

/* Ways to fill a column; a String is the text that all rows have in that column. */
#define DNC_FILL_COUNT 0
#define DNC_FILL_TYPE 1

extern bool dnc_count_pushdown_is_total(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options,
										const DncColumnMap *map, List *pushed,
										DncCounting *counting);

#endif							/* DNC_COUNT_PUSHDOWN_H */
