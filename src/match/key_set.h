/*-------------------------------------------------------------------------
 *
 * key_set.h
 *		A few texts, each once, in the order in which they came.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_KEY_SET_H
#define DNC_KEY_SET_H

typedef struct DncKeySet
{
	char	  **keys;			/* palloc'd; NULL: there are none */
	int			count;
	int			space;			/* number of keys that fit */
} DncKeySet;

extern void dnc_key_set_add(DncKeySet *set, char *key);
extern void dnc_key_set_add_to(DncKeySet *set, const char *prefix, const char *rest);

#endif							/* DNC_KEY_SET_H */
