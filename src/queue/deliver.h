/*-------------------------------------------------------------------------
 *
 * deliver.h
 *		Sends the writes that wait in the queue.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_DELIVER_H
#define DNC_QUEUE_DELIVER_H

/* A delivery to make, and the caller's way to end a transaction. */
typedef struct DncDelivery
{
	Oid			serverid;
	void		(*commit) (void);	/* ends the transaction, and begins the next one */
	MemoryContext context;		/* outlives the transactions */
} DncDelivery;

extern bool dnc_queue_deliver(const DncDelivery *delivery);
extern void dnc_queue_deliver_by_call(Oid serverid);

#endif							/* DNC_QUEUE_DELIVER_H */
