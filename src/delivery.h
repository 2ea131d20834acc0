/*-------------------------------------------------------------------------
 *
 * delivery.h
 *		Writes on their way to the servers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_DELIVERY_H
#define DNC_DELIVERY_H

#include "queue.h"

extern void dnc_delivery_send_all(DncQueue *queues, MemoryContext context);
extern int64 dnc_delivery_send_now(DncQueue *queue);

#endif							/* DNC_DELIVERY_H */
