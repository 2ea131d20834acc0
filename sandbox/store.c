/*
 * store.c
 *		One list of entries: ordered, counted, and found by name or id.
 *
 * The order is a row of blocks of pointers.  So inserting and removing anywhere moves at most one
 * block's pointers.  A binary search over the blocks' starts finds the n-th entry; we compute the
 * starts again, lazily, after a change.  Chained hash tables over the folded names and ids find
 * entries, by name in either case.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_ENTRIES 512
#define FIRST_BUCKETS 256

/* The distance between neighbours at the ends; between two entries, we take the middle. */
#define POSITION_STEP (INT64_C(1) << 32)

struct SbBlock
{
	size_t		count;
	SbEntry    *entry[BLOCK_ENTRIES];
};

/* The hash of a key: 32 bits over the folded bytes (FNV-1a). */
static uint32_t
key_hash(const char *name, size_t len)
{
	uint32_t	hash = 2166136261U;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ sb_fold(name[i])) * 16777619U;
	return hash ^ hash >> 15;
}

/* Puts an entry into the buckets of its keys. */
static void
hash_link(SbStore *store, SbEntry *entry)
{
	for (int by = 0; by < SB_LOOKUPS; by++)
	{
		SbEntry   **bucket = &store->bucket[by][entry->key[by].hash & (store->buckets - 1)];

		if (entry->key[by].len == 0)
			continue;
		entry->hash_next[by] = *bucket;
		*bucket = entry;
	}
}

/* Takes an entry out of its buckets. */
static void
hash_unlink(SbStore *store, SbEntry *entry)
{
	for (int by = 0; by < SB_LOOKUPS; by++)
	{
		SbEntry   **link = &store->bucket[by][entry->key[by].hash & (store->buckets - 1)];

		if (entry->key[by].len == 0)
			continue;
		while (*link != entry)
			link = &(*link)->hash_next[by];
		*link = entry->hash_next[by];
	}
}

/* Doubles the buckets as soon as there are more entries than buckets. */
static void
hash_grow(SbStore *store)
{
	if (store->count < store->buckets)
		return;
	store->buckets = store->buckets == 0 ? FIRST_BUCKETS : store->buckets * 2;
	for (int by = 0; by < SB_LOOKUPS; by++)
	{
		free(store->bucket[by]);
		store->bucket[by] = sb_alloc(store->buckets * sizeof(SbEntry *));
	}
	for (size_t i = 0; i < store->blocks; i++)
		for (size_t j = 0; j < store->block[i]->count; j++)
			hash_link(store, store->block[i]->entry[j]);
}

/* Makes a new entry that is in no list yet.  Normally the JSON contains the keys unescaped. */
static SbEntry *
make_entry(const char *json, size_t json_len, const SbTraits *traits)
{
	const char *inside[SB_LOOKUPS];
	size_t		size = traits->text_len + json_len;
	SbEntry    *entry;
	char	   *end;

	for (int by = 0; by < SB_LOOKUPS; by++)
	{
		inside[by] = memmem(json, json_len, traits->key[by], traits->key_len[by]);
		size += inside[by] == NULL ? traits->key_len[by] : 0;
	}
	entry = sb_realloc(NULL, sizeof(SbEntry) + size);
	memset(entry, 0, sizeof(SbEntry));
	entry->json_len = (uint32_t) json_len;
	entry->text_len = (uint32_t) traits->text_len;
	entry->type = (uint8_t) traits->type;
	if (traits->text_len > 0)
		memcpy(entry->bytes, traits->text, traits->text_len);
	memcpy(entry->bytes + traits->text_len, json, json_len);
	end = entry->bytes + traits->text_len + json_len;
	for (int by = 0; by < SB_LOOKUPS; by++)
	{
		SbKey	   *key = &entry->key[by];

		key->hash = key_hash(traits->key[by], traits->key_len[by]);
		key->len = (uint32_t) traits->key_len[by];
		key->at = (uint32_t) (inside[by] == NULL ? end - entry->bytes :
							  (inside[by] - json) + (ptrdiff_t) traits->text_len);
		if (inside[by] != NULL)
			continue;
		memcpy(end, traits->key[by], traits->key_len[by]);
		end += traits->key_len[by];
	}
	return entry;
}

/* Computes the index of each block's first entry, if it is out of date. */
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

/* Finds the block, and the slot in it, of the entry with that index (below count). */
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

/* Adds an empty block, which becomes the block with this number. */
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

/* Moves the upper half of a full block to a new block after it. */
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

/* Makes a gap for an entry at index: returns the block and the slot, which the caller fills. */
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

/* Gives all entries new positions, because the gap between two neighbours is used up. */
static void
renumber(SbStore *store)
{
	int64_t		position = 0;

	for (size_t i = 0; i < store->blocks; i++)
		for (size_t j = 0; j < store->block[i]->count; j++)
			store->block[i]->entry[j]->position = position += POSITION_STEP;
}

/* The position for a new entry at index, between those of its future neighbours. */
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

/* Adds an entry at an index (counted from 0; count or more: at the end). */
SbEntry *
sb_store_insert(SbStore *store, size_t index, const char *json, size_t json_len,
				const SbTraits *traits)
{
	SbEntry    *entry = make_entry(json, json_len, traits);
	size_t		slot;

	hash_grow(store);
	hash_link(store, entry);
	entry->position = free_position(store, index);
	entry->block = open_slot(store, index, &slot);
	entry->block->entry[slot] = entry;
	store->count++;
	store->start_valid = false;
	store->version++;
	return entry;
}

/* The slot of an entry in its block. */
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
	hash_unlink(store, entry);
	free(entry);
	store->count--;
	store->start_valid = false;
	store->version++;
}

/* Gives an entry new JSON; place, keys and type stay.  The old entry is freed. */
void
sb_store_replace(SbStore *store, SbEntry *entry, const char *json, size_t json_len)
{
	SbTraits	traits = {.text = entry->bytes,.text_len = entry->text_len,
	.type = entry->type};
	SbEntry    *fresh;

	for (int by = 0; by < SB_LOOKUPS; by++)
	{
		traits.key[by] = sb_entry_key(entry, (SbLookup) by);
		traits.key_len[by] = entry->key[by].len;
	}
	fresh = make_entry(json, json_len, &traits);
	fresh->block = entry->block;
	fresh->position = entry->position;
	fresh->block->entry[slot_of(entry)] = fresh;
	hash_unlink(store, entry);
	hash_link(store, fresh);
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
	for (int by = 0; by < SB_LOOKUPS; by++)
		free(store->bucket[by]);
	memset(store, 0, sizeof(*store));
	store->version = version;
}

/* The first entry with that hash in a bucket, from `entry` on; NULL if there is none. */
static SbEntry *
same_hash(SbEntry *entry, SbLookup by, uint32_t hash)
{
	while (entry != NULL && entry->key[by].hash != hash)
		entry = entry->hash_next[by];
	return entry;
}

/* The first entry whose folded key may be equal (compare!); NULL if there is none. */
static SbEntry *
first_same_hash(const SbStore *store, SbLookup by, const char *key, size_t len)
{
	uint32_t	hash = key_hash(key, len);

	if (store->buckets == 0)
		return NULL;
	return same_hash(store->bucket[by][hash & (store->buckets - 1)], by, hash);
}

/* The first entry whose folded name may be equal (compare!); NULL if there is none. */
SbEntry *
sb_store_same_hash(const SbStore *store, const char *name, size_t name_len)
{
	return first_same_hash(store, SB_BY_NAME, name, name_len);
}

/* The next entry after sb_store_same_hash(); NULL at the end. */
SbEntry *
sb_store_next_hash(const SbEntry *entry)
{
	return same_hash(entry->hash_next[SB_BY_NAME], SB_BY_NAME, entry->key[SB_BY_NAME].hash);
}

/* Whether an entry has that key. */
static bool
has_key(const SbEntry *entry, SbLookup by, const char *key, size_t len, bool fold)
{
	return entry->key[by].len == len && sb_same_bytes(sb_entry_key(entry, by), key, len, fold);
}

/* An entry with exactly that name and type; NULL if there is none. */
SbEntry *
sb_store_find(const SbStore *store, const char *name, size_t name_len, int type)
{
	SbEntry    *entry = sb_store_same_hash(store, name, name_len);

	while (entry != NULL &&
		   (entry->type != type || !has_key(entry, SB_BY_NAME, name, name_len, false)))
		entry = sb_store_next_hash(entry);
	return entry;
}

/* An entry with that name, in either case, of any type; NULL if there is none. */
SbEntry *
sb_store_find_folded(const SbStore *store, const char *name, size_t name_len)
{
	SbEntry    *entry = sb_store_same_hash(store, name, name_len);

	while (entry != NULL && !has_key(entry, SB_BY_NAME, name, name_len, true))
		entry = sb_store_next_hash(entry);
	return entry;
}

/* An entry with exactly that id; NULL if there is none. */
SbEntry *
sb_store_find_id(const SbStore *store, const char *id, size_t id_len)
{
	SbEntry    *entry = first_same_hash(store, SB_BY_ID, id, id_len);

	while (entry != NULL && !has_key(entry, SB_BY_ID, id, id_len, false))
		entry = same_hash(entry->hash_next[SB_BY_ID], SB_BY_ID, entry->key[SB_BY_ID].hash);
	return entry;
}

/* Copies the pointers of up to max entries from the index `from` on; returns their number. */
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

/* The number of entries at that position or before it. */
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
