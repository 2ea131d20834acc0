/*-------------------------------------------------------------------------
 *
 * key_set.c
 *		A few texts, each once, in the order in which they came.
 *
 * A contact has at most a few dozen keys, so we compare each with each.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "match/key_set.h"
#include "match/text.h"

/* Add a key to the set; the key is palloc'd, and belongs to the set from now on. */
void
dnc_key_set_add(DncKeySet *set, char *key)
{
	for (int i = 0; i < set->count; i++)
	{
		if (strcmp(set->keys[i], key) == 0)
			return;
	}
	if (set->count == set->space)
	{
		set->space = set->space ? set->space * 2 : 16;
		set->keys = set->keys ? repalloc(set->keys, set->space * sizeof(char *))
			: palloc(set->space * sizeof(char *));
	}
	set->keys[set->count++] = key;
}

/* Add a key made of two parts to the set. */
void
dnc_key_set_add_to(DncKeySet *set, const char *prefix, const char *rest)
{
	dnc_key_set_add(set, dnc_text_join(prefix, rest));
}
