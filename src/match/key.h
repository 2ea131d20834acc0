/*-------------------------------------------------------------------------
 *
 * key.h
 *		Keys: texts that are equal if two identifiers mean the same.
 *
 * All texts are UTF-8; results are palloc'd.  Arguments may be NULL.  country is two
 * letters of ISO 3166 in either case; any other text is an error (22023).  Keys of
 * numbers are an error (0A000) if dnc_fdw_phone is not installed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_KEY_H
#define DNC_KEY_H

#include "match/key_set.h"

/* A contact's key; NULL: we cannot tell whom the identifier means. */
extern char *dnc_match_key(const char *identifier, const char *type, const char *country);

/*
 * The key of a list's entry, never NULL.  international_digits: the list's numbers have their
 * country code, even without +.
 */
extern char *dnc_match_entry_key(const char *identifier, const char *type, const char *country,
								 bool international_digits);

/*
 * A text in place of an entry's key, for statistics.  It differs from the texts of other
 * entries as the key does, and needs no library.
 */
extern char *dnc_match_key_stand_in(const char *identifier, const char *type);

/* The keys of all entries that block a contact; none for a blank identifier. */
extern DncKeySet dnc_match_keys(const char *identifier, const char *type, const char *country);

/* The usual spellings of an identifier; none for a blank identifier. */
extern DncKeySet dnc_match_spellings(const char *identifier, const char *type,
									 const char *country);

#endif							/* DNC_KEY_H */
