/*-------------------------------------------------------------------------
 *
 * row_index.c
 *		The rows of a stored list, by the text of a column.
 *
 * An index gives at least the rows that have one of the texts, each row once.  It
 * compares hash values; PostgreSQL then evaluates the conditions on the rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "port/pg_bitutils.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "scan/row_index.h"

/* A row; the rows of a bucket are linked. */
typedef struct IndexEntry
{
	DncRowPlace place;
	uint32		hash;
	int32		next;			/* in the bucket; -1: none */
} IndexEntry;

struct DncRowIndex
{
	MemoryContext context;		/* holds entries and buckets */
	AttrNumber	attnum;
	FmgrInfo	output;			/* of the column's type */
	Size		limit;			/* bytes */
	bool		is_too_large;
	IndexEntry *entries;
	int32		count;
	int32		room;
	int32	   *buckets;		/* first entry of each bucket; their number is a power of 2 */
	uint32		nbuckets;

	/* The rows that we give now. */
	uint32	   *wanted;			/* hash values, each once */
	int			nwanted;
	int			at;				/* index of the next hash value */
	int32		next;			/* next entry to look at; -1: take the next hash value */
};

/* Make an empty index on a column, of up to limit bytes; palloc'd in the current context. */
DncRowIndex *
dnc_row_index_make(TupleDesc desc, AttrNumber attnum, Size limit)
{
	DncRowIndex *index = palloc0(sizeof(DncRowIndex));
	Oid			output;
	bool		varlena;

	index->context = CurrentMemoryContext;
	index->attnum = attnum;
	index->limit = limit;
	index->room = 256;
	index->entries = palloc(sizeof(IndexEntry) * index->room);
	getTypeOutputInfo(TupleDescAttr(desc, attnum - 1)->atttypid, &output, &varlena);
	fmgr_info(output, &index->output);
	return index;
}

/* The hash value of a text. */
static uint32
hash_of(const char *text)
{
	return hash_bytes((const unsigned char *) text, strlen(text));
}

/* Make room for one more row; if that exceeds the limit, give the index up. */
static bool
make_room(DncRowIndex *index)
{
	if (index->count < index->room)
		return true;
	if ((Size) index->room * 2 * (sizeof(IndexEntry) + sizeof(int32)) > index->limit)
	{
		pfree(index->entries);
		index->entries = NULL;
		index->is_too_large = true;
		return false;
	}
	index->room *= 2;
	index->entries = repalloc_huge(index->entries, sizeof(IndexEntry) * index->room);
	return true;
}

/*
 * Add the row of a slot, which is stored at a place.  A row whose column is NULL has no text,
 * so it does not get into the index.  Leaves palloc'd text in the current context.
 */
void
dnc_row_index_add(DncRowIndex *index, TupleTableSlot *slot, DncRowPlace place)
{
	bool		isnull;
	Datum		value;
	IndexEntry *entry;

	if (index->is_too_large || !make_room(index))
		return;
	value = slot_getattr(slot, index->attnum, &isnull);
	if (isnull)
		return;
	entry = &index->entries[index->count++];
	entry->place = place;
	entry->hash = hash_of(OutputFunctionCall(&index->output, value));
}

/* All rows were added: make the buckets. */
void
dnc_row_index_finish(DncRowIndex *index)
{
	MemoryContext before;

	if (index->is_too_large)
		return;
	before = MemoryContextSwitchTo(index->context);
	index->nbuckets = pg_nextpower2_32(Max(index->count, 1));
	index->buckets = palloc_extended(sizeof(int32) * index->nbuckets, MCXT_ALLOC_HUGE);
	memset(index->buckets, -1, sizeof(int32) * index->nbuckets);
	/* From the last to the first, so that the rows of a bucket come in their order. */
	for (int32 i = index->count - 1; i >= 0; i--)
	{
		int32	   *bucket = &index->buckets[index->entries[i].hash & (index->nbuckets - 1)];

		index->entries[i].next = *bucket;
		*bucket = i;
	}
	MemoryContextSwitchTo(before);
}

/* Do we already want this hash value? */
static bool
is_wanted(const DncRowIndex *index, uint32 hash)
{
	for (int i = 0; i < index->nwanted; i++)
	{
		if (index->wanted[i] == hash)
			return true;
	}
	return false;
}

/* For more texts than this, an index is not worthwhile: we look through the rows. */
#define MAX_WANTED 64

/*
 * Begin to give the rows that have one of the texts, in the database's encoding; false: the
 * index cannot tell.
 */
bool
dnc_row_index_seek(DncRowIndex *index, const List *texts)
{
	ListCell   *lc;

	if (index->is_too_large || list_length(texts) > MAX_WANTED)
		return false;
	if (index->wanted == NULL)
		index->wanted = MemoryContextAlloc(index->context, sizeof(uint32) * MAX_WANTED);
	index->nwanted = 0;
	index->at = 0;
	index->next = -1;
	foreach(lc, texts)
	{
		uint32		hash = hash_of(lfirst(lc));

		if (!is_wanted(index, hash))
			index->wanted[index->nwanted++] = hash;
	}
	return true;
}

/* The place of the next row; 0: there are no more. */
DncRowPlace
dnc_row_index_next(DncRowIndex *index)
{
	for (;;)
	{
		const IndexEntry *entry;

		if (index->next < 0)
		{
			if (index->at >= index->nwanted)
				return 0;
			index->next = index->buckets[index->wanted[index->at++] & (index->nbuckets - 1)];
			continue;
		}
		entry = &index->entries[index->next];
		index->next = entry->next;
		if (entry->hash == index->wanted[index->at - 1])
			return entry->place;
	}
}
