/*-------------------------------------------------------------------------
 *
 * modify.h
 *		INSERT, COPY and DELETE: rows, checked, on their way to the list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_MODIFY_H
#define DNC_MODIFY_H

#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

#include "write/write.h"

typedef struct DncModify DncModify;

extern void dnc_modify_add_row_identity(PlannerInfo *root, Index rtindex, Relation relation);
extern void dnc_modify_refuse_update(Relation relation);
extern int	dnc_modify_supported(Relation relation);
extern DncModify *dnc_modify_begin(ResultRelInfo *result, EState *estate, DncAction action,
								   List *returning, ModifyTable *plan);
extern TupleTableSlot *dnc_modify_insert(DncModify *modify, TupleTableSlot *slot);
extern TupleTableSlot *dnc_modify_delete(DncModify *modify, TupleTableSlot *slot,
										 TupleTableSlot *plan_slot);
extern void dnc_modify_end(DncModify *modify);
extern char *dnc_modify_request_text(Relation relation, DncAction action, int *batch);

#endif							/* DNC_MODIFY_H */
