/*-------------------------------------------------------------------------
 *
 * text_set.c
 *		A set of texts, to find equal values of an array.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"

#include "list/text_set.h"

typedef struct TextKey
{
	const char *text;
} TextKey;

struct DncTextSet
{
	HTAB	   *texts;			/* NULL: we expect at most one text */
};

/* HashValueFunc. */
static uint32
hash_text(const void *key, Size size)
{
	const char *text = ((const TextKey *) key)->text;

	return hash_bytes((const unsigned char *) text, strlen(text));
}

/* HashCompareFunc. */
static int
compare_texts(const void *one, const void *other, Size size)
{
	return strcmp(((const TextKey *) one)->text, ((const TextKey *) other)->text);
}

/*
 * Make an empty set for this many texts.  palloc'd; the texts must outlive the set.  A set for
 * a single text need not remember anything.
 */
DncTextSet *
dnc_text_set_make(int expected)
{
	DncTextSet *set = palloc0(sizeof(DncTextSet));
	HASHCTL		ctl = {.keysize = sizeof(TextKey), .entrysize = sizeof(TextKey),
	.hash = hash_text,.match = compare_texts,.hcxt = CurrentMemoryContext};

	if (expected > 1)
		set->texts = hash_create("dnc_fdw texts", expected, &ctl,
								 HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	return set;
}

/* Add a text; false: the set has it already. */
bool
dnc_text_set_add(DncTextSet *set, const char *text)
{
	TextKey		key = {text};
	bool		found = false;

	if (set->texts)
		(void) hash_search(set->texts, &key, HASH_ENTER, &found);
	return !found;
}

/* Free a set. */
void
dnc_text_set_end(DncTextSet *set)
{
	if (set->texts)
		hash_destroy(set->texts);
	pfree(set);
}
