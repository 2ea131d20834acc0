/*-------------------------------------------------------------------------
 *
 * outbox.h
 *		This transaction's waiting writes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_OUTBOX_H
#define DNC_OUTBOX_H

#include "queue.h"

extern DncTarget *dnc_outbox_target(Oid serverid, Oid relid, Oid userid);
extern DncQueue *dnc_outbox_queues(void);
extern const DncQueue *dnc_outbox_queue(Oid serverid);

#endif							/* DNC_OUTBOX_H */
