/*-------------------------------------------------------------------------
 *
 * bound.h
 *		The bound of a foreign table that is a partition.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_BOUND_H
#define DNC_BOUND_H

#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

#include "config/option.h"

typedef struct DncBound DncBound;

extern List *dnc_bound_clauses(Relation relation, const DncOptions *options,
							   const DncColumnMap *map);
extern bool dnc_bound_is_implied(List *bound, RelOptInfo *rel);
extern DncBound *dnc_bound_begin(Relation relation, const DncOptions *options,
								 const DncColumnMap *map, EState *estate);
extern Bitmapset *dnc_bound_add_attributes(const DncBound *bound, Bitmapset *attributes);
extern bool dnc_bound_holds(DncBound *bound, TupleTableSlot *slot);
extern bool dnc_bound_hides(DncBound *bound, TupleTableSlot *slot, const char *type);
extern void dnc_bound_refuse_removal(DncBound *bound, TupleTableSlot *slot);

#endif							/* DNC_BOUND_H */
