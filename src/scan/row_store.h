/*-------------------------------------------------------------------------
 *
 * row_store.h
 *		Rows in memory, or on disk if there are too many, each found by its place.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ROW_STORE_H
#define DNC_ROW_STORE_H

#include "executor/tuptable.h"

typedef struct DncRowStore DncRowStore;

/* The place of a row: in memory (positive), on disk (negative); 0: nowhere. */
typedef int64 DncRowPlace;

extern DncRowStore *dnc_row_store_make(Size limit);
extern DncRowPlace dnc_row_store_add(DncRowStore *store, TupleTableSlot *slot, DncRowPlace previous);
extern DncRowPlace dnc_row_store_get(DncRowStore *store, DncRowPlace place, TupleTableSlot *slot);
extern void dnc_row_store_free(DncRowStore *store, DncRowPlace first, DncRowPlace last);
extern void dnc_row_store_end(DncRowStore *store);

#endif							/* DNC_ROW_STORE_H */
