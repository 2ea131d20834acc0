/*-------------------------------------------------------------------------
 *
 * row_store.c
 *		Rows in memory, or on disk if there are too many, each found by its place.
 *
 * A tuplestore gives its rows only in their order.  Look-ups need more: the rows of one
 * look-up among those of others, and single rows of a list.  So each row holds the place
 * of the row that follows it in its own sequence.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "storage/buffile.h"
#include "storage/itemptr.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "scan/row_store.h"

/* The data in front of a row. */
typedef struct RowHeader
{
	DncRowPlace next;			/* in its sequence; undefined after the last row */
	ItemPointerData tid;		/* a minimal tuple has none */
	uint32		length;			/* of the tuple, which follows on disk */
} RowHeader;

/* A row in memory. */
typedef struct MemoryRow
{
	RowHeader	header;
	MinimalTuple tuple;
} MemoryRow;

struct DncRowStore
{
	MemoryContext context;
	ResourceOwner owner;		/* of the file */
	Size		limit;			/* bytes */
	Size		used;			/* by the rows in memory */
	BufFile    *file;			/* NULL: there is none yet */
	off_t		end;			/* of the file */
	char	   *buffer;			/* holds the row that we last read from the file */
	uint32		buffer_size;
};

/*
 * Make an empty store, which keeps up to limit bytes of rows in memory.  It belongs to the
 * current memory context and resource owner, which must be the query's.
 */
DncRowStore *
dnc_row_store_make(Size limit)
{
	DncRowStore *store = palloc0(sizeof(DncRowStore));

	store->context = CurrentMemoryContext;
	store->owner = CurrentResourceOwner;
	store->limit = limit;
	return store;
}

/* Turn an offset in the file into a place, and (below) a place into an offset. */
static DncRowPlace
place_on_disk(off_t offset)
{
	return -(DncRowPlace) offset - 1;
}

static off_t
offset_of(DncRowPlace place)
{
	return (off_t) -(place + 1);
}

/* Write to a place of the file. */
static void
write_at(DncRowStore *store, off_t offset, const void *data, size_t size)
{
	if (BufFileSeek(store->file, 0, offset, SEEK_SET) != 0)
		elog(ERROR, "could not seek in a temporary file");
	BufFileWrite(store->file, unconstify(void *, data), size);
}

/* Read from a place of the file. */
static void
read_at(DncRowStore *store, off_t offset, void *data, size_t size)
{
	if (BufFileSeek(store->file, 0, offset, SEEK_SET) != 0 ||
		BufFileRead(store->file, data, size) != size)
		elog(ERROR, "a temporary file is too short");
}

/* Append a row to the file; the first row makes the file. */
static DncRowPlace
add_on_disk(DncRowStore *store, RowHeader *header, MinimalTuple tuple)
{
	DncRowPlace place = place_on_disk(store->end);

	if (store->file == NULL)
	{
		ResourceOwner before = CurrentResourceOwner;

		CurrentResourceOwner = store->owner;
		store->file = BufFileCreateTemp(false);
		CurrentResourceOwner = before;
	}
	/* Usually the next row is the one that follows in the file. */
	header->next = place_on_disk(store->end + (off_t) sizeof(RowHeader) + header->length);
	write_at(store, store->end, header, sizeof(RowHeader));
	BufFileWrite(store->file, tuple, header->length);
	store->end += (off_t) sizeof(RowHeader) + header->length;
	return place;
}

/* Keep a row in memory; from now on, the tuple belongs to the store. */
static DncRowPlace
add_in_memory(DncRowStore *store, const RowHeader *header, MinimalTuple tuple)
{
	MemoryRow  *row = palloc(sizeof(MemoryRow));

	row->header = *header;
	row->tuple = tuple;
	return (DncRowPlace) (uintptr_t) row;
}

/* Store in a row the place of the row that follows it. */
static void
link_rows(DncRowStore *store, DncRowPlace previous, DncRowPlace place)
{
	RowHeader	header;

	if (previous > 0)
	{
		((MemoryRow *) (uintptr_t) previous)->header.next = place;
		return;
	}
	read_at(store, offset_of(previous), &header, sizeof(header));
	if (header.next == place)
		return;
	header.next = place;
	write_at(store, offset_of(previous), &header, sizeof(header));
}

/*
 * Keep the row of a slot, after the row at previous (0: it is the first of its sequence).
 * Returns its place.
 */
DncRowPlace
dnc_row_store_add(DncRowStore *store, TupleTableSlot *slot, DncRowPlace previous)
{
	MemoryContext before = MemoryContextSwitchTo(store->context);
	MinimalTuple tuple = ExecCopySlotMinimalTuple(slot);
	RowHeader	header = {.tid = slot->tts_tid, .length = tuple->t_len};
	Size		size = sizeof(MemoryRow) + GetMemoryChunkSpace(tuple);
	DncRowPlace place;

	if (store->used + size <= store->limit)
	{
		store->used += size;
		place = add_in_memory(store, &header, tuple);
	}
	else
	{
		place = add_on_disk(store, &header, tuple);
		pfree(tuple);
	}
	if (previous != 0)
		link_rows(store, previous, place);
	MemoryContextSwitchTo(before);
	return place;
}

/* Read the row at a place of the file into the store's buffer. */
static MinimalTuple
read_row(DncRowStore *store, DncRowPlace place, RowHeader *header)
{
	read_at(store, offset_of(place), header, sizeof(RowHeader));
	if (header->length > store->buffer_size)
	{
		if (store->buffer)
			pfree(store->buffer);
		store->buffer = MemoryContextAlloc(store->context, header->length);
		store->buffer_size = header->length;
	}
	read_at(store, offset_of(place) + (off_t) sizeof(RowHeader), store->buffer, header->length);
	return (MinimalTuple) store->buffer;
}

/*
 * Put the row at a place into a slot; it is valid until the next call.  Returns the place of
 * the row that follows in its sequence; after the last row, the result is undefined.
 */
DncRowPlace
dnc_row_store_get(DncRowStore *store, DncRowPlace place, TupleTableSlot *slot)
{
	RowHeader	header;
	MinimalTuple tuple;

	if (place > 0)
	{
		header = ((MemoryRow *) (uintptr_t) place)->header;
		tuple = ((MemoryRow *) (uintptr_t) place)->tuple;
	}
	else
	{
		/* The slot may still point to the row in the buffer. */
		ExecClearTuple(slot);
		tuple = read_row(store, place, &header);
	}
	ExecForceStoreMinimalTuple(tuple, slot, false);
	slot->tts_tid = header.tid;
	return header.next;
}

/* Free the rows of a sequence that are in memory. */
void
dnc_row_store_free(DncRowStore *store, DncRowPlace first, DncRowPlace last)
{
	for (DncRowPlace place = first; place > 0;)
	{
		MemoryRow  *row = (MemoryRow *) (uintptr_t) place;
		DncRowPlace next = place == last ? 0 : row->header.next;

		store->used -= sizeof(MemoryRow) + GetMemoryChunkSpace(row->tuple);
		pfree(row->tuple);
		pfree(row);
		place = next;
	}
}

/* Free the file. */
void
dnc_row_store_end(DncRowStore *store)
{
	if (store->file)
		BufFileClose(store->file);
	store->file = NULL;
}
