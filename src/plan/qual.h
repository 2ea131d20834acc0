/*-------------------------------------------------------------------------
 *
 * qual.h
 *		The clauses that can go into a request.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUAL_H
#define DNC_QUAL_H

#include "nodes/pathnodes.h"

#include "list/filter.h"

/* A clause "column op value" that a request can carry. */
typedef struct DncPushed
{
	DncColumn	column;
	DncOp		op;
	Expr	   *value;			/* contains no column of this table */
	bool		is_array;		/* value is an array; the column equals any of its elements */
	RestrictInfo *rinfo;
	Expr	   *derived;		/* the condition itself, if rinfo demands more; else NULL */
} DncPushed;

extern List *dnc_qual_pushable(PlannerInfo *root, RelOptInfo *rel, List *clauses,
							   const DncOptions *options, const DncColumnMap *map);
extern List *dnc_qual_join_clauses(PlannerInfo *root, RelOptInfo *rel,
								   const DncOptions *options, const DncColumnMap *map);
extern List *dnc_qual_equalities(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options,
								 const DncColumnMap *map);
extern bool dnc_qual_is_never(List *pushed);
extern DncPushed *dnc_qual_find(List *pushed, DncColumn column);

#endif							/* DNC_QUAL_H */
