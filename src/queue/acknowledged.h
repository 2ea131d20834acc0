/*-------------------------------------------------------------------------
 *
 * acknowledged.h
 *		Acknowledged writes of the other write_modes, for mirrors and for the queue.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_ACKNOWLEDGED_H
#define DNC_QUEUE_ACKNOWLEDGED_H

#include "write/commit.h"

extern TimestampTz dnc_queue_added_at(const DncOptions *options, TimestampTz answered);
extern void dnc_queue_record_acknowledged(const DncAcknowledged *requests, int count,
										  bool failed);

#endif							/* DNC_QUEUE_ACKNOWLEDGED_H */
