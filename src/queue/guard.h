/*-------------------------------------------------------------------------
 *
 * guard.h
 *		Deletions of the queue that additions by another write_mode overtake.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_GUARD_H
#define DNC_QUEUE_GUARD_H

#include "write/pending.h"

extern char *dnc_queue_key(const DncWrite *write);
extern void dnc_queue_guard_additions(const DncPending *pending);

#endif							/* DNC_QUEUE_GUARD_H */
