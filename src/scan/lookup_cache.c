/*-------------------------------------------------------------------------
 *
 * lookup_cache.c
 *		The rows that lookups of this statement have found, so that none is sent twice.
 *
 * A correlated subquery, or a join that the planner gives no Memoize, asks for
 * the same value again and again.  The rows of each lookup that was read to its
 * end are kept, within work_mem; the one that was used least recently goes
 * first.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "executor/executor.h"
#include "lib/ilist.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "scan/lookup_cache.h"

typedef struct LookupRow
{
	struct LookupRow *next;
	MinimalTuple tuple;
	ItemPointerData tid;		/* a minimal tuple has none */
} LookupRow;

struct DncLookup
{
	dlist_node	node;			/* in DncLookupCache.recent */
	char	   *asked;			/* DncChain.key */
	Size		size;
	LookupRow  *first;
	LookupRow **last;			/* where the next row is hung */
	LookupRow  *next;			/* to be given by dnc_lookup_cache_next() */
};

struct DncLookupCache
{
	MemoryContext context;
	Size		limit;			/* bytes */
	Size		size;			/* of all that are kept */
	HTAB	   *by_key;
	dlist_head	recent;			/* the most recently used first */
	DncLookup  *recording;		/* being read, and not in by_key yet; NULL: none */
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

/* A memory of up to limit bytes; belongs to the current memory context. */
DncLookupCache *
dnc_lookup_cache_make(Size limit)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw lookups",
												  ALLOCSET_DEFAULT_SIZES);
	DncLookupCache *lookups = MemoryContextAllocZero(context, sizeof(DncLookupCache));
	HASHCTL		ctl = {.keysize = sizeof(LookupKey), .entrysize = sizeof(LookupEntry),
	.hash = hash_key,.match = compare_keys,.hcxt = context};

	lookups->context = context;
	lookups->limit = limit;
	lookups->by_key = hash_create("dnc_fdw lookups", 64, &ctl,
									  HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	dlist_init(&lookups->recent);
	return lookups;
}

/* Free a lookup that nothing refers to any more. */
static void
free_lookup(DncLookup *lookup)
{
	for (LookupRow *row = lookup->first; row;)
	{
		LookupRow  *next = row->next;

		pfree(row->tuple);
		pfree(row);
		row = next;
	}
	pfree(lookup->asked);
	pfree(lookup);
}

/* Forget the lookups that were used least recently, until the rest fits. */
static void
make_room(DncLookupCache *lookups)
{
	while (lookups->size > lookups->limit)
	{
		DncLookup  *oldest = dlist_tail_element(DncLookup, node, &lookups->recent);
		LookupKey	key = {oldest->asked};

		hash_search(lookups->by_key, &key, HASH_REMOVE, NULL);
		dlist_delete(&oldest->node);
		lookups->size -= oldest->size;
		free_lookup(oldest);
	}
}

/* The rows that are kept for a chain; NULL: none are. */
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

/* Begin to give the rows of a chain, from its first row; NULL: we do not know them. */
DncLookup *
dnc_lookup_cache_open(DncLookupCache *lookups, const char *asked)
{
	DncLookup  *lookup = find_lookup(lookups, asked);

	if (lookup == NULL)
		return NULL;
	dlist_move_head(&lookups->recent, &lookup->node);
	lookup->next = lookup->first;
	return lookup;
}

/* The next row into the slot; false: there are no more. */
bool
dnc_lookup_cache_next(DncLookup *lookup, TupleTableSlot *slot)
{
	if (lookup->next == NULL)
		return false;
	ExecForceStoreMinimalTuple(lookup->next->tuple, slot, false);
	slot->tts_tid = lookup->next->tid;
	lookup->next = lookup->next->next;
	return true;
}

/* Begin to keep the rows of a lookup. */
void
dnc_lookup_cache_begin(DncLookupCache *lookups, const char *asked)
{
	DncLookup  *lookup = MemoryContextAllocZero(lookups->context, sizeof(DncLookup));

	lookup->asked = MemoryContextStrdup(lookups->context, asked);
	lookup->size = sizeof(DncLookup) + sizeof(LookupEntry) + strlen(asked) + 1;
	lookup->last = &lookup->first;
	lookups->recording = lookup;
}

/* Keep a row of the lookup that was begun, unless they are too many. */
void
dnc_lookup_cache_add(DncLookupCache *lookups, TupleTableSlot *slot)
{
	DncLookup  *lookup = lookups->recording;
	MemoryContext before;
	LookupRow  *row;

	if (lookup == NULL)
		return;
	before = MemoryContextSwitchTo(lookups->context);
	row = palloc0(sizeof(LookupRow));
	row->tuple = ExecCopySlotMinimalTuple(slot);
	row->tid = slot->tts_tid;
	MemoryContextSwitchTo(before);
	*lookup->last = row;
	lookup->last = &row->next;
	lookup->size += sizeof(LookupRow) + row->tuple->t_len;
	if (lookup->size > lookups->limit)
		dnc_lookup_cache_abandon(lookups);
}

/* The lookup that was begun was read to its end. */
void
dnc_lookup_cache_finish(DncLookupCache *lookups)
{
	DncLookup  *lookup = lookups->recording;
	LookupEntry *entry;

	if (lookup == NULL)
		return;
	lookups->recording = NULL;
	entry = hash_search(lookups->by_key, &lookup->asked, HASH_ENTER, NULL);
	entry->lookup = lookup;
	dlist_push_head(&lookups->recent, &lookup->node);
	lookups->size += lookup->size;
	make_room(lookups);
}

/* The lookup that was begun was not read to its end, or is too large. */
void
dnc_lookup_cache_abandon(DncLookupCache *lookups)
{
	if (lookups->recording)
		free_lookup(lookups->recording);
	lookups->recording = NULL;
}
