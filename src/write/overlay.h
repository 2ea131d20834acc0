/*-------------------------------------------------------------------------
 *
 * overlay.h
 *		What a scan sees of its own transaction's waiting writes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_OVERLAY_H
#define DNC_OVERLAY_H

#include "wire/json.h"
#include "write/pending.h"

typedef struct DncOverlay DncOverlay;

extern DncOverlay *dnc_overlay_begin(const DncOptions *options, CommandId command);
extern bool dnc_overlay_hides(DncOverlay *own, const DncJson *entry);
extern bool dnc_overlay_is_of_type(const DncOverlay *own, const DncJson *entry, const char *type);
extern void dnc_overlay_rewind(DncOverlay *own);
extern const DncEntry *dnc_overlay_next(DncOverlay *own, const char *search, const char *identifier,
										const char *type);
extern void dnc_overlay_texts(const DncEntry *entry, const char **texts);

#endif							/* DNC_OVERLAY_H */
