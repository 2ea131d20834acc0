/*-------------------------------------------------------------------------
 *
 * guard.h
 *		Writes by another write_mode while the queue has writes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_GUARD_H
#define DNC_QUEUE_GUARD_H

#include "write/pending.h"

extern char *dnc_queue_key(const DncWrite *write);
extern bool dnc_queue_may_claim(const DncOptions *options, DncAction action);
extern void dnc_queue_let_claim(const DncOptions *options);
extern bool dnc_queue_removals_wait(const DncOptions *options);
extern void dnc_queue_guard(const DncPending *pending);

#endif							/* DNC_QUEUE_GUARD_H */
