/*-------------------------------------------------------------------------
 *
 * queued.h
 *		The additions that wait in the queue, for scans.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_QUEUED_H
#define DNC_QUEUE_QUEUED_H

#include "write/overlay.h"

extern DncPending *dnc_queue_find_additions(const DncOptions *options);

#endif							/* DNC_QUEUE_QUEUED_H */
