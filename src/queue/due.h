/*-------------------------------------------------------------------------
 *
 * due.h
 *		The servers that need a delivery, and a callback for new writes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_DUE_H
#define DNC_QUEUE_DUE_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* A server with work for a delivery. */
typedef struct DncQueueDue
{
	Oid			serverid;
	int64		count;			/* of writes that are due now */
	TimestampTz	next;			/* when the first write is due */
} DncQueueDue;

extern List *dnc_queue_due(bool of_old);
extern bool dnc_queue_lock_at_once(void);
extern void dnc_queue_register_waker(void (*waker)(void));
extern void dnc_queue_changed(void);

#endif							/* DNC_QUEUE_DUE_H */
