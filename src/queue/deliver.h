/*-------------------------------------------------------------------------
 *
 * deliver.h
 *		Sends what waits in the queue.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_DELIVER_H
#define DNC_QUEUE_DELIVER_H

/*
 * Tells the locks of senders from users' advisory locks, which have 1 or 2 in its place; as
 * pg_locks.objsubid shows it.
 */
#define DNC_DELIVER_LOCK_CLASS 3340

/* Who delivers, and how it ends a transaction. */
typedef struct DncDelivery
{
	Oid			serverid;
	void		(*commit) (void);	/* ends the transaction, and begins the next one */
	MemoryContext context;		/* outlives the transactions */
} DncDelivery;

extern bool dnc_queue_deliver(const DncDelivery *delivery);
extern void dnc_queue_deliver_by_call(Oid serverid);

#endif							/* DNC_QUEUE_DELIVER_H */
