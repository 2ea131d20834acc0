/*-------------------------------------------------------------------------
 *
 * known_entries.c
 *		The entries of a list that were given last, to be recognised.
 *
 * We remember 128 bits of hash of each id, and only the latest few thousand: enough
 * to find one's place in a list that moves, and no more memory for a longer list.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"

#include "list/known_entries.h"

/* Entries that are remembered: several times the largest page. */
#define WINDOW 8192

typedef struct EntryKey
{
	uint64		hash[2];
} EntryKey;

struct DncKnownEntries
{
	MemoryContext context;
	HTAB	   *keys;
	EntryKey   *window;			/* ring of what is in keys; NULL: nothing is */
	int64		added;			/* entries that were ever put there */
	bool		forgot;			/* entries were given that are not there */
};

/* An empty memory, in the current memory context. */
DncKnownEntries *
dnc_known_entries_make(void)
{
	DncKnownEntries *known = palloc0(sizeof(DncKnownEntries));
	HASHCTL		ctl = {.keysize = sizeof(EntryKey), .entrysize = sizeof(EntryKey),
	.hcxt = CurrentMemoryContext};

	known->context = CurrentMemoryContext;
	known->keys = hash_create("dnc_fdw known entries", 256, &ctl,
							  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return known;
}

/* The key of an entry, by its id. */
static EntryKey
key_of(const char *id)
{
	size_t		length = strlen(id);
	EntryKey	key;

	key.hash[0] = hash_bytes_extended((const unsigned char *) id, (int) length, 0);
	key.hash[1] = hash_bytes_extended((const unsigned char *) id, (int) length, 1);
	return key;
}

/* Is the entry with this id remembered? */
bool
dnc_known_entries_has(const DncKnownEntries *known, const char *id)
{
	EntryKey	key = key_of(id);

	return hash_search(known->keys, &key, HASH_FIND, NULL) != NULL;
}

/*
 * Remember an entry that is given, and forget the oldest one if there are too many.
 * False: it was remembered before.
 */
bool
dnc_known_entries_add(DncKnownEntries *known, const char *id)
{
	EntryKey	key = key_of(id);
	EntryKey   *place;
	bool		found;

	if (known->window == NULL)
		known->window = MemoryContextAlloc(known->context, sizeof(EntryKey) * WINDOW);
	(void) hash_search(known->keys, &key, HASH_ENTER, &found);
	if (found)
		return false;
	place = &known->window[known->added % WINDOW];
	if (known->added >= WINDOW)
	{
		(void) hash_search(known->keys, place, HASH_REMOVE, NULL);
		known->forgot = true;
	}
	*place = key;
	known->added++;
	return true;
}

/* Remember the ids of a stored position, of a list of which so many entries were given. */
void
dnc_known_entries_restore(DncKnownEntries *known, const List *ids, int64 given)
{
	ListCell   *lc;

	foreach(lc, ids)
		(void) dnc_known_entries_add(known, lfirst(lc));
	known->forgot = known->forgot || known->added < given;
}

/* Were entries given that are not remembered (any more)? */
bool
dnc_known_entries_forgot(const DncKnownEntries *known)
{
	return known->forgot;
}
