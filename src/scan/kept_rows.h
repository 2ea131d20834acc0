/*-------------------------------------------------------------------------
 *
 * kept_rows.h
 *		The rows of a scan that runs again with the same values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_KEPT_ROWS_H
#define DNC_KEPT_ROWS_H

#include "nodes/execnodes.h"

typedef struct DncKeptRows DncKeptRows;

extern DncKeptRows *dnc_kept_rows_make(EState *estate, TupleDesc desc);
extern void dnc_kept_rows_add(DncKeptRows *kept, TupleTableSlot *slot);
extern bool dnc_kept_rows_next(DncKeptRows *kept, TupleTableSlot *slot);
extern int64 dnc_kept_rows_given(const DncKeptRows *kept);
extern bool dnc_kept_rows_at_end(const DncKeptRows *kept);
extern void dnc_kept_rows_rewind(DncKeptRows *kept);
extern void dnc_kept_rows_end(DncKeptRows *kept);

#endif							/* DNC_KEPT_ROWS_H */
