/*-------------------------------------------------------------------------
 *
 * direct.h
 *		DELETE of one entry by its key, without reading the list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_DIRECT_H
#define DNC_DIRECT_H

#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

typedef struct DncDirect DncDirect;

extern bool dnc_direct_plan(PlannerInfo *root, ModifyTable *plan, Index result_relation);
extern DncDirect *dnc_direct_begin(ForeignScanState *node);
extern void dnc_direct_run(DncDirect *direct);

#endif							/* DNC_DIRECT_H */
