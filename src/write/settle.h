/*-------------------------------------------------------------------------
 *
 * settle.h
 *		What becomes of pending writes: which of them stand, and which are sent.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_SETTLE_H
#define DNC_SETTLE_H

#include "write/pending.h"

/* What has become of a write, as seen from a command of its transaction. */
typedef enum DncPendingFate
{
	DNC_FATE_STANDS,
	DNC_FATE_OVERTAKEN,			/* an addition that is taken back, a removal that is needless */
	DNC_FATE_SPARES,			/* a removal of what an addition has given other values for */
	DNC_FATE_UNSEEN				/* the command does not see the write */
} DncPendingFate;

extern uint8 *dnc_settle_fates(const DncPending *pending, CommandId command);
extern void dnc_settle_mark_overtaken(DncPending *pending);

#endif							/* DNC_SETTLE_H */
