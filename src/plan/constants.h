/*-------------------------------------------------------------------------
 *
 * constants.h
 *		Columns with the same value for all entries of a list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_CONSTANTS_H
#define DNC_CONSTANTS_H

#include "nodes/pathnodes.h"

#include "config/option.h"

extern const char *dnc_constants_text(const Var *var, const DncOptions *options,
									  const DncColumnMap *map);
extern Node *dnc_constants_reduce(PlannerInfo *root, Node *expression, Index relid,
								  const DncOptions *options, const DncColumnMap *map);
extern bool dnc_constants_is_never(const Node *clause);
extern bool dnc_constants_is_always(const Node *clause);

#endif							/* DNC_CONSTANTS_H */
