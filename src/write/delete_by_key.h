/*-------------------------------------------------------------------------
 *
 * delete_by_key.h
 *		DELETE of one entry by its key, without reading the list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_DELETE_BY_KEY_H
#define DNC_DELETE_BY_KEY_H

#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

typedef struct DncDeleteByKey DncDeleteByKey;

extern bool dnc_delete_by_key_plan(PlannerInfo *root, ModifyTable *plan, Index result_relation);
extern DncDeleteByKey *dnc_delete_by_key_begin(ForeignScanState *node);
extern void dnc_delete_by_key_run(DncDeleteByKey *direct);

#endif							/* DNC_DELETE_BY_KEY_H */
