/*-------------------------------------------------------------------------
 *
 * kept_rows.c
 *		The rows of a scan that runs again with the same values, so that we read the list once.
 *
 * A run first gives the kept rows.  If an earlier run ended before the last row, the run
 * reads on, and keeps the rows that it reads.  Beyond work_mem, the rows are on disk.
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
	int64		given;			/* rows given since the scan began, or began again */
	TupleTableSlot *slot;		/* of the kind that a tuplestore gives; its row is in context */
};

/* Make an empty store; palloc'd in the current context, which must be the executor's. */
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
 * Put the next kept row into the slot; false: all of them were given.
 *
 * A tuplestore beyond work_mem reads a row back from disk into the current memory context, and
 * our slot frees that row when it gets the next one.  PostgreSQL calls us in the memory of one
 * row, which it resets in between.  So we read in the query's context.
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

/* The number of rows given since the scan began, or began again. */
int64
dnc_kept_rows_given(const DncKeptRows *kept)
{
	return kept->given;
}

/* Were all kept rows given? */
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

/* Free the rows, and their file. */
void
dnc_kept_rows_end(DncKeptRows *kept)
{
	tuplestore_end(kept->store);
}
