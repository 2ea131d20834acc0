/*-------------------------------------------------------------------------
 *
 * plan_private.h
 *		The contract between the planner and the executor: fdw_private of a scan's plan.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PLAN_PRIVATE_H
#define DNC_PLAN_PRIVATE_H

/*
 * The members of fdw_private in a scan's plan.  The values of the conditions are in fdw_exprs,
 * in the same order, so that the executor can evaluate them.  Options and token are not here:
 * we look them up when the plan runs.
 */
typedef enum DncPlanPrivate
{
	DNC_PLAN_COLUMNS,			/* integer list: DncColumn of each condition */
	DNC_PLAN_OPS,				/* integer list: DncOp of each condition */
	DNC_PLAN_ARRAYS,			/* integer list: is the value an array of values? */
	DNC_PLAN_NEEDED,			/* integer list: attribute numbers to decode; empty for a scan
								 * that only counts */
	DNC_PLAN_TABLE,				/* OID list: the foreign table */
	DNC_PLAN_PAGE_SIZE,			/* Integer: entries to ask for; 0: as the options say */
	DNC_PLAN_COUNTS,			/* list: how to fill each column, if the scan gives the list's
								 * total (DncCounting); else NIL */
	DNC_PLAN_TYPES,				/* list of String: the documented types, if the scan gives a row
								 * for each type; else NIL */
	DNC_PLAN_GROUPED,			/* Integer: 1 if a total of 0 gives no row, as with GROUP BY */
	DNC_PLAN_LIMIT,				/* Float: rows after which the query ends; 0: not known */
	DNC_PLAN_REQUESTS,			/* Float: expected requests of one scan */
	DNC_PLAN_LIST_REQUESTS,		/* Float: expected requests for reading the list instead of
								 * lookups */
	DNC_PLAN_MAY_BE_SHORT		/* Integer: 1 if the size of the list is not known, and the query
								 * does not end after some rows */
} DncPlanPrivate;

#endif							/* DNC_PLAN_PRIVATE_H */
