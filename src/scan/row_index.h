/*-------------------------------------------------------------------------
 *
 * row_index.h
 *		The rows of a stored list, by the text of a column.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ROW_INDEX_H
#define DNC_ROW_INDEX_H

#include "nodes/pg_list.h"

#include "scan/row_store.h"

typedef struct DncRowIndex DncRowIndex;

extern DncRowIndex *dnc_row_index_make(TupleDesc desc, AttrNumber attnum, Size limit);
extern void dnc_row_index_add(DncRowIndex *index, TupleTableSlot *slot, DncRowPlace place);
extern void dnc_row_index_finish(DncRowIndex *index);
extern bool dnc_row_index_seek(DncRowIndex *index, const List *texts);
extern DncRowPlace dnc_row_index_next(DncRowIndex *index);

#endif							/* DNC_ROW_INDEX_H */
