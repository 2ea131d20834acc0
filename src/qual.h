/*-------------------------------------------------------------------------
 *
 * qual.h
 *		Which clauses can go into a request.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUAL_H
#define DNC_QUAL_H

#include "nodes/pathnodes.h"

#include "column.h"
#include "option.h"
#include "request.h"

/* A clause "column op value" that a request can carry. */
typedef struct DncPushed
{
	DncColumn	column;
	DncOp		op;
	Expr	   *value;			/* of type text; no column of this table in it */
	RestrictInfo *rinfo;
} DncPushed;

extern List *dnc_qual_pushable(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options,
							   const DncColumnMap *map);
extern void dnc_qual_check_search(PlannerInfo *root, RelOptInfo *rel, const DncColumnMap *map,
								  List *pushed, const DncOptions *options);

#endif							/* DNC_QUAL_H */
