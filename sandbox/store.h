/*
 * store.h
 *		One list of entries: ordered, counted, and found by identifier.
 *
 * An entry is a piece of finished JSON with the name (identifier, e-mail, number) and the type
 * it is found by.  The store knows nothing of what the JSON says.
 */
#ifndef SB_STORE_H
#define SB_STORE_H

#include "text.h"

#define SB_NO_TYPE 255			/* an entry whose type is none of the API's */

typedef struct SbBlock SbBlock;

typedef struct SbEntry
{
	struct SbEntry *hash_next;
	SbBlock    *block;			/* the block that holds it */
	int64_t		position;		/* grows along the list and never changes: keyset cursors */
	uint32_t	hash;			/* of the name, letters of ASCII folded */
	uint32_t	json_len;
	uint32_t	name_at;		/* where in bytes the name stands, as plain UTF-8 */
	uint32_t	name_len;		/* 0: it has none and is not found by name */
	uint8_t		type;			/* index into the API's types, or SB_NO_TYPE */
	char		bytes[];		/* the JSON; behind it the name, if the JSON has it escaped */
} SbEntry;

typedef struct SbStore
{
	SbBlock   **block;			/* in list order, none of them empty */
	size_t		blocks;
	size_t		block_room;
	size_t	   *start;			/* index of each block's first entry, if start_valid */
	bool		start_valid;
	SbEntry   **bucket;
	size_t		buckets;		/* a power of two, or 0 */
	size_t		count;
	uint64_t	version;		/* changes with each change of the list */
} SbStore;

extern SbEntry *sb_store_insert(SbStore *store, size_t index, const char *json, size_t json_len,
								const char *name, size_t name_len, int type);
extern void sb_store_remove(SbStore *store, SbEntry *entry);
extern void sb_store_replace(SbStore *store, SbEntry *entry, const char *json, size_t json_len);
extern void sb_store_clear(SbStore *store);

extern SbEntry *sb_store_find(const SbStore *store, const char *name, size_t name_len, int type);
extern SbEntry *sb_store_same_hash(const SbStore *store, const char *name, size_t name_len);
extern SbEntry *sb_store_next_hash(const SbEntry *entry);
extern size_t sb_store_slice(SbStore *store, size_t from, size_t max, SbEntry **into);
extern size_t sb_store_rank(SbStore *store, int64_t position);

/* An ASCII letter in lower case, anything else as it is. */
static inline unsigned char
sb_fold(char c)
{
	return (unsigned char) (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

#endif							/* SB_STORE_H */
