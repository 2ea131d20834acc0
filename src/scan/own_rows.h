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

/* Which rows are wanted, and how.  All of it outlives the reading. */
typedef struct DncOwnReading
{
	const DncOptions *options;
	DncOverlay *own;
	const DncChains *chains;	/* what the scan asks for */
	const char *identifier;		/* the only one that is wanted, UTF-8; NULL: all are */
	const char *type;			/* likewise */
	TupleDesc	desc;
	const DncColumnMap *map;
	const Bitmapset *needed;	/* attribute numbers */
	DncBound   *bound;			/* additions outside are left out; NULL: all are within */
	DncRowIdentity *identity;	/* of the DELETE that takes the rows; NULL: they say all */
} DncOwnReading;

typedef struct DncOwnRows DncOwnRows;

extern DncOwnRows *dnc_own_rows_begin(const DncOwnReading *reading);
extern bool dnc_own_rows_next(DncOwnRows *rows, TupleTableSlot *slot);
extern bool dnc_own_rows_at_end(const DncOwnRows *rows);

#endif							/* DNC_OWN_ROWS_H */
