/*-------------------------------------------------------------------------
 *
 * delivery.h
 *		Waiting writes on their way to the servers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_DELIVERY_H
#define DNC_DELIVERY_H

#include "outbox.h"

extern void dnc_delivery_send(const DncQueue *queues, MemoryContext context);

#endif							/* DNC_DELIVERY_H */
