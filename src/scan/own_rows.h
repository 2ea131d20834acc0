/*-------------------------------------------------------------------------
 *
 * own_rows.h
 *		The entries that the transaction itself has added, as rows of a scan.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_OWN_ROWS_H
#define DNC_OWN_ROWS_H

#include "executor/tuptable.h"

#include "config/column.h"
#include "list/filter.h"
#include "plan/bound.h"
#include "write/overlay.h"
#include "write/row_identity.h"

/* The rows to give, and how.  All of this outlives the reading. */
typedef struct DncOwnReading
{
	const DncOptions *options;
	DncOverlay *own;
	const DncChains *chains;	/* the chains that the scan asks for */
	const char *identifier;		/* the only identifier to give, UTF-8; NULL: all */
	const char *type;			/* the only type to give, UTF-8; NULL: all */
	TupleDesc	desc;
	const DncColumnMap *map;
	const Bitmapset *needed;	/* attribute numbers */
	DncBound   *bound;			/* leave out additions outside of it; NULL: all are within */
	DncRowIdentity *identity;	/* of the DELETE that takes the rows; NULL: rows suffice */
} DncOwnReading;

typedef struct DncOwnRows DncOwnRows;

extern DncOwnRows *dnc_own_rows_begin(const DncOwnReading *reading);
extern bool dnc_own_rows_next(DncOwnRows *rows, TupleTableSlot *slot);
extern bool dnc_own_rows_at_end(const DncOwnRows *rows);

#endif							/* DNC_OWN_ROWS_H */
