/*-------------------------------------------------------------------------
 *
 * record.h
 *		The outcomes of writes that were sent.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_RECORD_H
#define DNC_QUEUE_RECORD_H

#include "queue/claim.h"

/* The next step of a round, after the outcome of a request was recorded. */
typedef enum DncRecorded
{
	DNC_RECORDED_GO_ON,
	DNC_RECORDED_REFUSED,		/* a write was refused, perhaps through no fault of its own, and
								 * waits */
	DNC_RECORDED_HALVE,			/* an entry among several was refused: nothing is recorded yet */
	DNC_RECORDED_STOP			/* the lane is paused, or backs off */
} DncRecorded;

extern bool dnc_record_can_look_up(const DncProvider *provider);
extern DncRecorded dnc_record_outcome(const DncClaim *claim, const DncSent *sent, bool stopped);

#endif							/* DNC_QUEUE_RECORD_H */
