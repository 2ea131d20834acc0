/*-------------------------------------------------------------------------
 *
 * record.h
 *		What has become of writes that were sent.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_RECORD_H
#define DNC_QUEUE_RECORD_H

#include "queue/claim.h"

/* What the outcome of a request means for the rest of its round. */
typedef enum DncRecorded
{
	DNC_RECORDED_GO_ON,
	DNC_RECORDED_REFUSED,		/* a write was refused, perhaps not for what it is; it waits */
	DNC_RECORDED_HALVE,			/* some entry was refused: nothing is recorded yet */
	DNC_RECORDED_STOP			/* the lane is paused, or backs off */
} DncRecorded;

extern bool dnc_record_can_look_up(const DncProvider *provider);
extern DncRecorded dnc_record_outcome(const DncClaim *claim, const DncSent *sent, bool stopped);

#endif							/* DNC_QUEUE_RECORD_H */
