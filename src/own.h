/*-------------------------------------------------------------------------
 *
 * own.h
 *		What a scan sees of its own transaction's waiting writes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_OWN_H
#define DNC_OWN_H

#include "json.h"
#include "queue.h"

typedef struct DncOwn DncOwn;

extern DncOwn *dnc_own_begin(const DncOptions *options, CommandId command);
extern bool dnc_own_hides(DncOwn *own, const DncJson *entry);
extern bool dnc_own_is_of_type(const DncOwn *own, const DncJson *entry, const char *type);
extern void dnc_own_rewind(DncOwn *own);
extern const DncEntry *dnc_own_next(DncOwn *own, const char *search, const char *identifier,
									const char *type);
extern void dnc_own_texts(const DncEntry *entry, const char **texts);

#endif							/* DNC_OWN_H */
