/*-------------------------------------------------------------------------
 *
 * transaction.h
 *		This transaction's writes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_TRANSACTION_H
#define DNC_TRANSACTION_H

#include "write/commit.h"

extern DncTarget *dnc_transaction_target(Oid serverid, Oid relid, Oid userid);
extern DncServerWrites *dnc_transaction_server(const DncTarget *target);
extern DncServerWrites *dnc_transaction_servers(void);
extern const DncPending *dnc_transaction_pending(Oid serverid);

#endif							/* DNC_TRANSACTION_H */
