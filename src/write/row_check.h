/*-------------------------------------------------------------------------
 *
 * row_check.h
 *		A table's rows as the values to send for an entry, checked.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ROW_CHECK_H
#define DNC_ROW_CHECK_H

#include "executor/tuptable.h"
#include "utils/relcache.h"

#include "write/write.h"

typedef struct DncRowCheck DncRowCheck;

extern DncRowCheck *dnc_row_check_make(Relation relation, const DncOptions *options,
									   DncAction action);
extern AttrNumber dnc_row_check_returning(DncRowCheck *row, List *returning);
extern void dnc_row_check_values(DncRowCheck *row, TupleTableSlot *slot, const char **members);
extern AttrNumber dnc_row_check_trim(DncRowCheck *row, const char **members,
									 const char **identifier);
extern void dnc_row_check_attributes(DncRowCheck *row, TupleTableSlot *slot);
extern void dnc_row_check_members(DncRowCheck *row, const char *const *members);

#endif							/* DNC_ROW_CHECK_H */
