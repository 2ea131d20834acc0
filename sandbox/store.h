/*
 * store.h
 *		One list of entries: ordered, counted, and found by name or id.
 *
 * An entry is a piece of finished JSON, with the values that we find it by: name (identifier,
 * e-mail, number), id and type.  The store does not know what the JSON says.
 */
#ifndef SB_STORE_H
#define SB_STORE_H

#include "text.h"

#define SB_NO_TYPE 255			/* an entry whose type is none of the API's types */

typedef struct SbBlock SbBlock;

/* The keys for looking up an entry. */
typedef enum SbLookup
{
	SB_BY_NAME,
	SB_BY_ID
} SbLookup;

#define SB_LOOKUPS 2

/* One of the keys of an entry. */
typedef struct SbKey
{
	uint32_t	hash;			/* over the bytes with ASCII letters folded */
	uint32_t	at;				/* place of the key in the entry's bytes, as plain UTF-8 */
	uint32_t	len;			/* 0: the entry has no such key, and is not found by it */
} SbKey;

typedef struct SbEntry
{
	struct SbEntry *hash_next[SB_LOOKUPS];
	SbBlock    *block;			/* the block that holds it */
	int64_t		position;		/* grows along the list; only renumber() changes it */
	SbKey		key[SB_LOOKUPS];
	uint32_t	json_len;
	uint32_t	text_len;		/* of the text that searches compare; 0: they use the name */
	uint8_t		type;			/* index into the API's types, or SB_NO_TYPE */
	char		bytes[];		/* the text, the JSON, the keys that the JSON escapes */
} SbEntry;

/* The properties of a new entry beside its JSON. */
typedef struct SbTraits
{
	const char *key[SB_LOOKUPS];
	size_t		key_len[SB_LOOKUPS];
	const char *text;
	size_t		text_len;
	int			type;
} SbTraits;

typedef struct SbStore
{
	SbBlock   **block;			/* in list order, none of them empty */
	size_t		blocks;
	size_t		block_room;
	size_t	   *start;			/* index of each block's first entry, if start_valid */
	bool		start_valid;
	SbEntry   **bucket[SB_LOOKUPS];
	size_t		buckets;		/* number for each lookup; a power of two, or 0 */
	size_t		count;
	uint64_t	version;		/* changes with each change of the list */
} SbStore;

extern SbEntry *sb_store_insert(SbStore *store, size_t index, const char *json, size_t json_len,
								const SbTraits *traits);
extern void sb_store_remove(SbStore *store, SbEntry *entry);
extern void sb_store_replace(SbStore *store, SbEntry *entry, const char *json, size_t json_len);
extern void sb_store_clear(SbStore *store);

extern SbEntry *sb_store_find(const SbStore *store, const char *name, size_t name_len, int type);
extern SbEntry *sb_store_find_folded(const SbStore *store, const char *name, size_t name_len);
extern SbEntry *sb_store_find_id(const SbStore *store, const char *id, size_t id_len);
extern SbEntry *sb_store_same_hash(const SbStore *store, const char *name, size_t name_len);
extern SbEntry *sb_store_next_hash(const SbEntry *entry);
extern size_t sb_store_slice(SbStore *store, size_t from, size_t max, SbEntry **into);
extern size_t sb_store_rank(SbStore *store, int64_t position);

/* An entry's JSON; not NUL-terminated. */
static inline const char *
sb_entry_json(const SbEntry *entry)
{
	return entry->bytes + entry->text_len;
}

/* One of the keys of an entry; not NUL-terminated. */
static inline const char *
sb_entry_key(const SbEntry *entry, SbLookup by)
{
	return entry->bytes + entry->key[by].at;
}

#endif							/* SB_STORE_H */
