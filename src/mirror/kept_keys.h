/*-------------------------------------------------------------------------
 *
 * kept_keys.h
 *		Keys of entries that the mirror already has.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_KEPT_KEYS_H
#define DNC_KEPT_KEYS_H

#include "mirror/mirror.h"

typedef struct DncKeptKeys DncKeptKeys;

extern DncKeptKeys *dnc_kept_keys_begin(const DncMirror *mirror);
extern bool dnc_kept_keys_has_use(const DncKeptKeys *kept, const char *identifier);
extern void dnc_kept_keys_load(DncKeptKeys *kept, const Datum *identities, int count);
extern const char *dnc_kept_keys_find(const DncKeptKeys *kept, const char *identity);

#endif							/* DNC_KEPT_KEYS_H */
