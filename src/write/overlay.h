/*-------------------------------------------------------------------------
 *
 * overlay.h
 *		A scan's view of its own transaction's pending writes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_OVERLAY_H
#define DNC_OVERLAY_H

#include "wire/json.h"
#include "write/pending.h"

typedef struct DncOverlay DncOverlay;

/*
 * Finds the additions of committed transactions to the list of *options, with a token, that will
 * be sent later, as the active snapshot shows them.  Made in the current context; NULL: none.
 */
typedef DncPending *(*DncFindQueued) (const DncOptions *options);

extern void dnc_overlay_register(DncFindQueued find_queued);

extern DncOverlay *dnc_overlay_begin(const DncOptions *options, CommandId command);
extern bool dnc_overlay_hides(const DncOverlay *overlay, const DncJson *entry);
extern void dnc_overlay_note_listed(DncOverlay *overlay, const DncJson *entry);
extern bool dnc_overlay_is_of_type(const DncOverlay *overlay, const DncJson *entry,
								   const char *type);
extern void dnc_overlay_rewind(DncOverlay *overlay);
extern const DncWrite *dnc_overlay_next(DncOverlay *overlay, const char *search,
										const char *identifier, const char *type);

#endif							/* DNC_OVERLAY_H */
