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

/* A part of a statement that writes to a table, while the statement runs. */
typedef struct DncOpenRoute
{
	struct DncOpenRoute *next;
	const DncAccountWrites *account;
	const void *statement;		/* tells one statement from another; dangles when the statement
								 * is over */
	DncAction	action;
	DncWriteMode write_mode;
	int			nest_level;		/* of the (sub)transaction of the statement */
} DncOpenRoute;

extern DncTarget *dnc_transaction_target(Oid serverid, Oid relid, Oid userid);
extern DncAccountWrites *dnc_transaction_account(const DncTarget *target);
extern DncAccountWrites *dnc_transaction_accounts(void);
extern DncServerWrites *dnc_transaction_servers(void);
extern const DncPending *dnc_transaction_pending(const DncOptions *options);
extern DncOpenRoute *dnc_transaction_open(const DncOpenRoute *route);
extern void dnc_transaction_close(DncOpenRoute *route);
extern const DncOpenRoute *dnc_transaction_routes(void);

#endif							/* DNC_TRANSACTION_H */
