/*
 * store.c
 *		One list of entries: ordered, counted, and found by identifier.
 *
 * The order is a row of blocks of pointers, so that inserting and removing anywhere moves at
 * most one block's pointers, and the n-th entry is found by a binary search over the blocks'
 * starts (computed anew, lazily, after a change).  A chained hash table over the folded names
 * finds entries by name in either case.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_ENTRIES 512
#define FIRST_BUCKETS 256

/* The distance of neighbours at the ends; between them the middle is taken. */
#define POSITION_STEP (INT64_C(1) << 32)

struct SbBlock
{
	size_t		count;
	SbEntry    *entry[BLOCK_ENTRIES];
};

/* The hash of a name: 32 bits over the folded bytes (FNV-1a). */
static uint32_t
name_hash(const char *name, size_t len)
{
	uint32_t	hash = 2166136261U;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ sb_fold(name[i])) * 16777619U;
	return hash ^ hash >> 15;
}

/* Puts an entry that has a name into its bucket. */
static void
hash_link(SbStore *store, SbEntry *entry)
{
	SbEntry   **bucket = &store->bucket[entry->hash & (store->buckets - 1)];

	entry->hash_next = *bucket;
	*bucket = entry;
}

/* Takes an entry out of its bucket. */
static void
hash_unlink(SbStore *store, SbEntry *entry)
{
	SbEntry   **link = &store->bucket[entry->hash & (store->buckets - 1)];

	while (*link != entry)
		link = &(*link)->hash_next;
	*link = entry->hash_next;
}

/* Doubles the buckets as soon as there are more entries than buckets. */
static void
hash_grow(SbStore *store)
{
	if (store->count < store->buckets)
		return;
	free(store->bucket);
	store->buckets = store->buckets == 0 ? FIRST_BUCKETS : store->buckets * 2;
	store->bucket = sb_alloc(store->buckets * sizeof(SbEntry *));
	for (size_t i = 0; i < store->blocks; i++)
		for (size_t j = 0; j < store->block[i]->count; j++)
			if (store->block[i]->entry[j]->name_len > 0)
				hash_link(store, store->block[i]->entry[j]);
}

/* A new entry that is in no list yet.  The JSON normally has the name in it as it is. */
static SbEntry *
make_entry(const char *json, size_t json_len, const char *name, size_t name_len, int type)
{
	const char *inside = memmem(json, json_len, name, name_len);
	SbEntry    *entry = sb_realloc(NULL, sizeof(SbEntry) + json_len +
								   (inside == NULL ? name_len : 0));

	memcpy(entry->bytes, json, json_len);
	if (inside == NULL)
		memcpy(entry->bytes + json_len, name, name_len);
	entry->hash_next = NULL;
	entry->block = NULL;
	entry->position = 0;
	entry->hash = name_hash(name, name_len);
	entry->json_len = (uint32_t) json_len;
	entry->name_at = (uint32_t) (inside == NULL ? json_len : (size_t) (inside - json));
	entry->name_len = (uint32_t) name_len;
	entry->type = (uint8_t) type;
	return entry;
}

/* Computes the index of each block's first entry, if that is out of date. */
static void
compute_starts(SbStore *store)
{
	size_t		start = 0;

	if (store->start_valid)
		return;
	for (size_t i = 0; i < store->blocks; i++)
	{
		store->start[i] = start;
		start += store->block[i]->count;
	}
	store->start_valid = true;
}

/* Which block, and which slot of it, holds the entry of that index (below count). */
static void
locate(SbStore *store, size_t index, size_t *number, size_t *slot)
{
	size_t		low = 0;
	size_t		high = store->blocks;

	compute_starts(store);
	while (high - low > 1)
	{
		size_t		middle = (low + high) / 2;

		if (store->start[middle] <= index)
			low = middle;
		else
			high = middle;
	}
	*number = low;
	*slot = index - store->start[low];
}

/* Adds an empty block that becomes the number-th. */
static SbBlock *
add_block(SbStore *store, size_t number)
{
	SbBlock    *block = sb_alloc(sizeof(SbBlock));

	if (store->blocks == store->block_room)
	{
		store->block_room = store->block_room == 0 ? 16 : store->block_room * 2;
		store->block = sb_realloc(store->block, store->block_room * sizeof(SbBlock *));
		store->start = sb_realloc(store->start, store->block_room * sizeof(size_t));
	}
	memmove(store->block + number + 1, store->block + number,
			(store->blocks - number) * sizeof(SbBlock *));
	store->block[number] = block;
	store->blocks++;
	return block;
}

/* Moves the upper half of a full block to a new one behind it. */
static SbBlock *
split_block(SbStore *store, size_t number)
{
	SbBlock    *lower = store->block[number];
	SbBlock    *upper = add_block(store, number + 1);

	upper->count = BLOCK_ENTRIES / 2;
	lower->count = BLOCK_ENTRIES - upper->count;
	memcpy(upper->entry, lower->entry + lower->count, upper->count * sizeof(SbEntry *));
	for (size_t i = 0; i < upper->count; i++)
		upper->entry[i]->block = upper;
	return upper;
}

/* Opens a gap for an entry at index: gives the block and the slot, which the caller fills. */
static SbBlock *
open_slot(SbStore *store, size_t index, size_t *slot)
{
	size_t		number = 0;
	SbBlock    *block;

	*slot = 0;
	if (store->blocks == 0)
		add_block(store, 0);
	else if (index >= store->count)
	{
		number = store->blocks - 1;
		*slot = store->block[number]->count;
	}
	else if (index > 0)
		locate(store, index, &number, slot);

	block = store->block[number];
	if (block->count == BLOCK_ENTRIES && *slot == BLOCK_ENTRIES)
	{
		block = add_block(store, number + 1);
		*slot = 0;
	}
	else if (block->count == BLOCK_ENTRIES && *slot == 0)
		block = add_block(store, number);
	else if (block->count == BLOCK_ENTRIES)
	{
		SbBlock    *upper = split_block(store, number);

		if (*slot > block->count)
		{
			*slot -= block->count;
			block = upper;
		}
	}
	memmove(block->entry + *slot + 1, block->entry + *slot,
			(block->count - *slot) * sizeof(SbEntry *));
	block->count++;
	return block;
}

/* Gives all entries new positions: the gap between two neighbours was used up. */
static void
renumber(SbStore *store)
{
	int64_t		position = 0;

	for (size_t i = 0; i < store->blocks; i++)
		for (size_t j = 0; j < store->block[i]->count; j++)
			store->block[i]->entry[j]->position = position += POSITION_STEP;
}

/* The position for a new entry at index, between those of its neighbours-to-be. */
static int64_t
free_position(SbStore *store, size_t index)
{
	SbEntry    *side[2];

	if (store->count == 0)
		return 0;
	if (index == 0)
		return store->block[0]->entry[0]->position - POSITION_STEP;
	if (index >= store->count)
	{
		SbBlock    *last = store->block[store->blocks - 1];

		return last->entry[last->count - 1]->position + POSITION_STEP;
	}
	sb_store_slice(store, index - 1, 2, side);
	if (side[1]->position - side[0]->position < 2)
		renumber(store);
	return side[0]->position + (side[1]->position - side[0]->position) / 2;
}

/* Adds an entry so that it becomes the index-th (counted from 0; count or more: the last). */
SbEntry *
sb_store_insert(SbStore *store, size_t index, const char *json, size_t json_len,
				const char *name, size_t name_len, int type)
{
	SbEntry    *entry = make_entry(json, json_len, name, name_len, type);
	size_t		slot;

	hash_grow(store);
	if (name_len > 0)
		hash_link(store, entry);
	entry->position = free_position(store, index);
	entry->block = open_slot(store, index, &slot);
	entry->block->entry[slot] = entry;
	store->count++;
	store->start_valid = false;
	store->version++;
	return entry;
}

/* The slot of its block that an entry is in. */
static size_t
slot_of(const SbEntry *entry)
{
	size_t		slot = 0;

	while (entry->block->entry[slot] != entry)
		slot++;
	return slot;
}

/* Takes an entry off the list and frees it. */
void
sb_store_remove(SbStore *store, SbEntry *entry)
{
	SbBlock    *block = entry->block;
	size_t		slot = slot_of(entry);

	memmove(block->entry + slot, block->entry + slot + 1,
			(block->count - slot - 1) * sizeof(SbEntry *));
	block->count--;
	if (block->count == 0)
	{
		size_t		number = 0;

		while (store->block[number] != block)
			number++;
		store->blocks--;
		memmove(store->block + number, store->block + number + 1,
				(store->blocks - number) * sizeof(SbBlock *));
		free(block);
	}
	if (entry->name_len > 0)
		hash_unlink(store, entry);
	free(entry);
	store->count--;
	store->start_valid = false;
	store->version++;
}

/* Gives an entry other JSON; place, name and type stay.  The old entry is freed. */
void
sb_store_replace(SbStore *store, SbEntry *entry, const char *json, size_t json_len)
{
	SbEntry    *fresh = make_entry(json, json_len, entry->bytes + entry->name_at,
								   entry->name_len, entry->type);

	fresh->block = entry->block;
	fresh->position = entry->position;
	fresh->block->entry[slot_of(entry)] = fresh;
	if (entry->name_len > 0)
	{
		hash_unlink(store, entry);
		hash_link(store, fresh);
	}
	free(entry);
	store->version++;
}

/* Empties the list and frees all its memory; the version goes on. */
void
sb_store_clear(SbStore *store)
{
	uint64_t	version = store->version + 1;

	for (size_t i = 0; i < store->blocks; i++)
	{
		for (size_t j = 0; j < store->block[i]->count; j++)
			free(store->block[i]->entry[j]);
		free(store->block[i]);
	}
	free(store->block);
	free(store->start);
	free(store->bucket);
	memset(store, 0, sizeof(*store));
	store->version = version;
}

/* The first of the entries whose folded name may be equal (compare!), NULL if there is none. */
SbEntry *
sb_store_same_hash(const SbStore *store, const char *name, size_t name_len)
{
	uint32_t	hash = name_hash(name, name_len);
	SbEntry    *entry;

	if (store->buckets == 0)
		return NULL;
	entry = store->bucket[hash & (store->buckets - 1)];
	while (entry != NULL && entry->hash != hash)
		entry = entry->hash_next;
	return entry;
}

/* The next entry after sb_store_same_hash(), NULL at the end. */
SbEntry *
sb_store_next_hash(const SbEntry *entry)
{
	SbEntry    *next = entry->hash_next;

	while (next != NULL && next->hash != entry->hash)
		next = next->hash_next;
	return next;
}

/* An entry of exactly that name and type, NULL if there is none. */
SbEntry *
sb_store_find(const SbStore *store, const char *name, size_t name_len, int type)
{
	SbEntry    *entry = sb_store_same_hash(store, name, name_len);

	while (entry != NULL && (entry->type != type || entry->name_len != name_len ||
							 memcmp(entry->bytes + entry->name_at, name, name_len) != 0))
		entry = sb_store_next_hash(entry);
	return entry;
}

/* Copies the pointers of up to max entries from the index `from` on; gives how many. */
size_t
sb_store_slice(SbStore *store, size_t from, size_t max, SbEntry **into)
{
	size_t		number;
	size_t		slot;
	size_t		done = 0;

	if (from >= store->count)
		return 0;
	if (max > store->count - from)
		max = store->count - from;
	for (locate(store, from, &number, &slot); done < max; number++, slot = 0)
	{
		size_t		take = store->block[number]->count - slot;

		if (take > max - done)
			take = max - done;
		memcpy(into + done, store->block[number]->entry + slot, take * sizeof(SbEntry *));
		done += take;
	}
	return done;
}

/* How many entries stand at that position or before it. */
size_t
sb_store_rank(SbStore *store, int64_t position)
{
	size_t		low = 0;
	size_t		high = store->blocks;
	size_t		slot = 0;

	if (store->count == 0)
		return 0;
	while (high - low > 1)
	{
		size_t		middle = (low + high) / 2;

		if (store->block[middle]->entry[0]->position <= position)
			low = middle;
		else
			high = middle;
	}
	compute_starts(store);
	while (slot < store->block[low]->count &&
		   store->block[low]->entry[slot]->position <= position)
		slot++;
	return store->start[low] + slot;
}
