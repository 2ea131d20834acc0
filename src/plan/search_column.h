/*-------------------------------------------------------------------------
 *
 * search_column.h
 *		The column search, whose value is the search itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_SEARCH_COLUMN_H
#define DNC_SEARCH_COLUMN_H

#include "nodes/pathnodes.h"

#include "config/option.h"

extern bool dnc_search_column_is_read(PlannerInfo *root, RelOptInfo *rel, const DncColumnMap *map);
_Noreturn extern void dnc_search_column_refuse(const DncOptions *options);

#endif							/* DNC_SEARCH_COLUMN_H */
