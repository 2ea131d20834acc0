/*-------------------------------------------------------------------------
 *
 * row.h
 *		A table's rows as what is sent for an entry.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ROW_H
#define DNC_ROW_H

#include "executor/tuptable.h"
#include "utils/relcache.h"

#include "queue.h"

typedef struct DncRow DncRow;

extern DncRow *dnc_row_make(Relation relation, const DncOptions *options, DncAction action);
extern AttrNumber dnc_row_check_returning(DncRow *row, List *returning);
extern void dnc_row_values(DncRow *row, TupleTableSlot *slot, const char **members);
extern void dnc_row_check_attributes(DncRow *row, TupleTableSlot *slot);
extern void dnc_row_check_members(DncRow *row, const char *const *members);

#endif							/* DNC_ROW_H */
