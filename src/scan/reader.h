/*-------------------------------------------------------------------------
 *
 * reader.h
 *		The entries of one chain, page by page, as rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_READER_H
#define DNC_READER_H

#include "executor/tuptable.h"

#include "list/decode.h"
#include "list/entries.h"
#include "list/filter.h"
#include "plan/bound.h"
#include "write/overlay.h"
#include "write/row_identity.h"

/* The chain to read, and the writes that hide entries of it.  All of this outlives the reader. */
typedef struct DncReading
{
	const DncOptions *options;
	const DncChain *chain;
	DncPager   *pager;
	DncDecoder *decoder;
	DncOverlay *own;			/* the transaction's own writes; NULL: none */
	const char *counted_type;	/* the only identifier type to give; NULL: all */
	DncBound   *bound;			/* leave out entries outside of it; NULL: all are within */
	DncRowIdentity *identity;	/* of the DELETE that takes the rows; NULL: rows suffice */
} DncReading;

typedef struct DncReader DncReader;

extern DncReader *dnc_reader_begin(const DncReading *reading);
extern DncCall *dnc_reader_ask(DncReader *reader);
extern bool dnc_reader_next(DncReader *reader, bool may_wait, TupleTableSlot *slot);
extern bool dnc_reader_has_all(const DncReader *reader);
extern bool dnc_reader_look(DncReader *reader, bool may_wait);
extern bool dnc_reader_at_end(const DncReader *reader);

#endif							/* DNC_READER_H */
