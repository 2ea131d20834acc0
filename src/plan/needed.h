/*-------------------------------------------------------------------------
 *
 * needed.h
 *		The columns that a scan must deliver.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_NEEDED_H
#define DNC_NEEDED_H

#include "nodes/pathnodes.h"

#include "config/column.h"

extern List *dnc_needed_attributes(PlannerInfo *root, RelOptInfo *rel, List *clauses, Oid relid,
								   const DncColumnMap *map);

#endif							/* DNC_NEEDED_H */
