/*-------------------------------------------------------------------------
 *
 * settle.h
 *		The fate of pending writes: which of them stand, and which are sent.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_SETTLE_H
#define DNC_SETTLE_H

#include "write/pending.h"

/* The fate of a write, as a command of its transaction sees it. */
typedef enum DncPendingFate
{
	DNC_FATE_STANDS,
	DNC_FATE_OVERTAKEN,			/* an addition that was taken back, or a needless removal */
	DNC_FATE_SPARES,			/* a removal that leaves an addition with other values */
	DNC_FATE_UNSEEN				/* the command does not see the write */
} DncPendingFate;

extern uint8 *dnc_settle_fates(const DncPending *pending, CommandId command);
extern void dnc_settle_mark_overtaken(DncPending *pending);

#endif							/* DNC_SETTLE_H */
