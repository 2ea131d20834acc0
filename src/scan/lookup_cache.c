/*-------------------------------------------------------------------------
 *
 * lookup_cache.c
 *		The rows that lookups of this statement have found, so that we do not send a finished
 *		lookup again.
 *
 * A correlated subquery, or a join for which the planner makes no Memoize, asks for the
 * same value again and again.  We keep the rows of each lookup that was read to its end;
 * beyond work_mem, they are on disk.  Each lookup costs a request, so there are never
 * many.
 *
 * A lookup whose value we cannot send reads the list, and so does a scan that has sent
 * too many requests.  We index the list's rows by the column that the scan looks up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "scan/lookup_cache.h"
#include "scan/row_index.h"
#include "scan/row_store.h"

/* Any index may be at least this large: 131,072 rows. */
#define MIN_INDEX_LIMIT ((Size) 4 * 1024 * 1024)

struct DncLookup
{
	char	   *asked;			/* DncChain.key */
	DncLookupCache *lookups;
	DncRowPlace first;			/* 0: there are no rows */
	DncRowPlace last;
	MemoryContext index_context;
	DncRowIndex *index;			/* NULL: there is no index */

	/* The rows that dnc_lookup_cache_next() gives. */
	bool		by_index;
	DncRowPlace next;			/* 0: there are no more */
};

struct DncLookupCache
{
	MemoryContext context;
	TupleDesc	desc;
	Size		limit;			/* bytes */
	DncRowStore *store;
	HTAB	   *by_key;
	DncLookup  *recording;		/* the lookup that is read now, and not in by_key yet; NULL: none */
};

typedef struct LookupKey
{
	const char *asked;
} LookupKey;

typedef struct LookupEntry
{
	LookupKey	key;
	DncLookup  *lookup;
} LookupEntry;

/* HashValueFunc. */
static uint32
hash_key(const void *key, Size size)
{
	const char *asked = ((const LookupKey *) key)->asked;

	return hash_bytes((const unsigned char *) asked, strlen(asked));
}

/* HashCompareFunc. */
static int
compare_keys(const void *one, const void *other, Size size)
{
	return strcmp(((const LookupKey *) one)->asked, ((const LookupKey *) other)->asked);
}

/*
 * Make an empty cache.  It keeps up to limit bytes of rows in memory.  It belongs to the
 * current memory context and resource owner, which must be the query's.
 */
DncLookupCache *
dnc_lookup_cache_make(TupleDesc desc, Size limit)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw lookups",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	DncLookupCache *lookups = palloc0(sizeof(DncLookupCache));
	HASHCTL		ctl = {.keysize = sizeof(LookupKey), .entrysize = sizeof(LookupEntry),
	.hash = hash_key,.match = compare_keys,.hcxt = context};

	lookups->context = context;
	lookups->desc = desc;
	lookups->limit = limit;
	lookups->store = dnc_row_store_make(limit);
	lookups->by_key = hash_create("dnc_fdw lookups", 64, &ctl,
								  HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	MemoryContextSwitchTo(before);
	return lookups;
}

/* The kept rows of a chain; NULL: none. */
static DncLookup *
find_lookup(const DncLookupCache *lookups, const char *asked)
{
	LookupKey	key = {asked};
	LookupEntry *entry = hash_search(lookups->by_key, &key, HASH_FIND, NULL);

	return entry ? entry->lookup : NULL;
}

/* Do we know the rows of a chain? */
bool
dnc_lookup_cache_has(const DncLookupCache *lookups, const char *asked)
{
	return find_lookup(lookups, asked) != NULL;
}

/*
 * Begin to give the rows of a chain, from its first row; NULL: we do not know them.  If the
 * rows are indexed, we need only give those whose column has one of the texts.
 */
DncLookup *
dnc_lookup_cache_open(DncLookupCache *lookups, const char *asked, const List *texts)
{
	DncLookup  *lookup = find_lookup(lookups, asked);

	if (lookup == NULL)
		return NULL;
	lookup->by_index = lookup->index && texts && dnc_row_index_seek(lookup->index, texts);
	lookup->next = lookup->first;
	return lookup;
}

/* Put the next row into the slot, valid until the next call; false: there are no more. */
bool
dnc_lookup_cache_next(DncLookup *lookup, TupleTableSlot *slot)
{
	DncRowStore *store = lookup->lookups->store;
	DncRowPlace place = lookup->by_index ? dnc_row_index_next(lookup->index) : lookup->next;
	DncRowPlace following;

	if (place == 0)
		return false;
	following = dnc_row_store_get(store, place, slot);
	lookup->next = place == lookup->last ? 0 : following;
	return true;
}

/*
 * Begin to keep the rows of a lookup, indexed by an attribute of the table (0: without index).
 * The caller must finish or abandon this lookup before it begins the next one.
 */
void
dnc_lookup_cache_begin(DncLookupCache *lookups, const char *asked, AttrNumber indexed)
{
	MemoryContext before = MemoryContextSwitchTo(lookups->context);
	DncLookup  *lookup = palloc0(sizeof(DncLookup));

	lookup->asked = pstrdup(asked);
	lookup->lookups = lookups;
	if (indexed != InvalidAttrNumber)
	{
		lookup->index_context = AllocSetContextCreate(lookups->context, "dnc_fdw row index",
													  ALLOCSET_DEFAULT_SIZES);
		MemoryContextSwitchTo(lookup->index_context);
		lookup->index = dnc_row_index_make(lookups->desc, indexed,
										   Max(lookups->limit, MIN_INDEX_LIMIT));
	}
	lookups->recording = lookup;
	MemoryContextSwitchTo(before);
}

/* Keep a row of the current lookup. */
void
dnc_lookup_cache_add(DncLookupCache *lookups, TupleTableSlot *slot)
{
	DncLookup  *lookup = lookups->recording;

	lookup->last = dnc_row_store_add(lookups->store, slot, lookup->last);
	if (lookup->first == 0)
		lookup->first = lookup->last;
	if (lookup->index)
		dnc_row_index_add(lookup->index, slot, lookup->last);
}

/* The current lookup was read to its end. */
void
dnc_lookup_cache_finish(DncLookupCache *lookups)
{
	DncLookup  *lookup = lookups->recording;
	LookupEntry *entry;

	lookups->recording = NULL;
	if (lookup->index)
		dnc_row_index_finish(lookup->index);
	entry = hash_search(lookups->by_key, &lookup->asked, HASH_ENTER, NULL);
	entry->lookup = lookup;
}

/* The current lookup, if there is one, was not read to its end: forget it. */
void
dnc_lookup_cache_abandon(DncLookupCache *lookups)
{
	DncLookup  *lookup = lookups->recording;

	lookups->recording = NULL;
	if (lookup == NULL)
		return;
	dnc_row_store_free(lookups->store, lookup->first, lookup->last);
	if (lookup->index)
		MemoryContextDelete(lookup->index_context);
	pfree(lookup->asked);
	pfree(lookup);
}

/* Free the file; the memory goes with the query's memory. */
void
dnc_lookup_cache_end(DncLookupCache *lookups)
{
	dnc_row_store_end(lookups->store);
}
