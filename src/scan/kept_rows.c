/*-------------------------------------------------------------------------
 *
 * kept_rows.c
 *		The rows of a scan that is run again with the same values, so that the list is
 *		read once.
 *
 * A run gives the rows that are kept first.  Where an earlier run was ended before the
 * last row, it reads on, and adds what it reads.  Beyond work_mem the rows are on disk.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "scan/kept_rows.h"

struct DncKeptRows
{
	MemoryContext context;		/* the query's */
	Tuplestorestate *store;		/* the rows so far */
	int64		given;			/* how many of them, since the scan began or began anew */
	TupleTableSlot *slot;		/* of the kind that a tuplestore gives; its row is in context */
};

/* No rows yet; palloc'd in the current context, which must be the executor's. */
DncKeptRows *
dnc_kept_rows_make(EState *estate, TupleDesc desc)
{
	DncKeptRows *kept = palloc0(sizeof(DncKeptRows));

	kept->context = CurrentMemoryContext;
	kept->store = tuplestore_begin_heap(true, false, work_mem);
	kept->slot = ExecInitExtraTupleSlot(estate, desc, &TTSOpsMinimalTuple);
	return kept;
}

/* Keep a row that was just read. */
void
dnc_kept_rows_add(DncKeptRows *kept, TupleTableSlot *slot)
{
	kept->given++;
	tuplestore_puttupleslot(kept->store, slot);
}

/*
 * The next of the kept rows, into the slot; false: all of them were given.
 *
 * A tuplestore beyond work_mem reads a row back from disk into the current memory
 * context, and our slot frees that row when it gets the next one.  PostgreSQL calls
 * us in the memory of one row, which is reset in between.  So we read in the query's.
 */
bool
dnc_kept_rows_next(DncKeptRows *kept, TupleTableSlot *slot)
{
	MemoryContext before;
	bool		found;

	if (tuplestore_ateof(kept->store))
		return false;
	before = MemoryContextSwitchTo(kept->context);
	found = tuplestore_gettupleslot(kept->store, true, false, kept->slot);
	MemoryContextSwitchTo(before);
	if (found)
	{
		ExecCopySlot(slot, kept->slot);
		kept->given++;
	}
	return found;
}

/* How many rows were given since the scan began, or began anew. */
int64
dnc_kept_rows_given(const DncKeptRows *kept)
{
	return kept->given;
}

/* Were all of the kept rows given? */
bool
dnc_kept_rows_at_end(const DncKeptRows *kept)
{
	return tuplestore_ateof(kept->store);
}

/* Begin with the first row again. */
void
dnc_kept_rows_rewind(DncKeptRows *kept)
{
	tuplestore_rescan(kept->store);
	kept->given = 0;
}

/* Let go of the rows, and of their file. */
void
dnc_kept_rows_end(DncKeptRows *kept)
{
	tuplestore_end(kept->store);
}
