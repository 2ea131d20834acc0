/*-------------------------------------------------------------------------
 *
 * transaction.h
 *		This transaction's waiting writes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_TRANSACTION_H
#define DNC_TRANSACTION_H

#include "write/pending.h"

extern DncTarget *dnc_transaction_target(Oid serverid, Oid relid, Oid userid);
extern DncPending *dnc_transaction_queues(void);
extern const DncPending *dnc_transaction_queue(Oid serverid);

#endif							/* DNC_TRANSACTION_H */
