/*-------------------------------------------------------------------------
 *
 * forget.c
 *		Finished writes that nobody needs any more.
 *
 * A finished addition guards its person against removals that could not see the addition.  We can
 * look at removals that wait, since they are rows.  We cannot look at removals of transactions
 * that are open or prepared.  So each such transaction holds a lock, and we forget no addition
 * while a transaction has that lock.  Any transaction with a snapshot may still begin to remove.
 * So we forget no addition that a snapshot of the cluster does not see.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/procarray.h"
#include "utils/xid8.h"

#include "queue/forget.h"
#include "queue/statements.h"
#include "queue/table.h"

int			dnc_keep_done = 2592000;

/* The lock that transactions with removals for the queue share; see lock_tag() in deliver.c. */
static LOCKTAG
removals_lock(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 2, DNC_DELIVER_LOCK_CLASS);
	return tag;
}

/*
 * This transaction is about to remove by the queue.  Have no addition forgotten until it ends, also
 * after PREPARE TRANSACTION.  We wait only for a moment, since no session holds the exclusive lock
 * for longer.
 */
void
dnc_forget_wait_for_us(void)
{
	LOCKTAG		tag = removals_lock();

	(void) LockAcquire(&tag, ShareLock, false, false);
}

/* Does another open or prepared transaction have removals for the queue? */
bool
dnc_forget_has_open_removals(void)
{
	LOCKTAG		tag = removals_lock();

	if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, ExclusiveLock, false);
	return false;
}

/* Add the epoch to a transaction ID that is not in the future. */
static uint64
with_epoch(TransactionId xid)
{
	uint64		next = U64FromFullTransactionId(ReadNextFullTransactionId());

	return next - (uint32) ((uint32) next - xid);
}

/*
 * Find a transaction such that all removals that are not rows yet see the additions of earlier
 * transactions; 0: we know of none.
 *
 * We hold the lock until we have looked.  A transaction that gets the lock later is still in the
 * statement that removes, so we have seen its snapshot, or its snapshot is newer.
 */
static FullTransactionId
find_limit(void)
{
	LOCKTAG		tag = removals_lock();
	uint64		limit;

	if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return FullTransactionIdFromU64(0);
	limit = with_epoch(GetOldestTransactionIdConsideredRunning());
	LockRelease(&tag, ExclusiveLock, false);
	return FullTransactionIdFromU64(limit);
}

/*
 * Forget finished writes to a server or its account that we have kept for dnc_fdw.keep_done.
 * Writes of a person stay as long as a removal of that person waits.  Additions also stay as long
 * as an open transaction may remove the person without seeing them.  All writes stay as long as a
 * mirror of the account needs them, or a mirror of the server, which may have been renamed.
 */
void
dnc_forget_finished(Oid serverid)
{
	DncQueueArguments arguments = {0};

	dnc_queue_server_arguments(serverid, &arguments);
	dnc_queue_argument(&arguments, INT4OID, Int32GetDatum(dnc_keep_done));
	dnc_queue_text_argument(&arguments,
							dnc_queue_account(dnc_options_load(serverid, InvalidOid)));
	dnc_queue_argument(&arguments, XID8OID, FullTransactionIdGetDatum(find_limit()));
	(void) dnc_queue_run("DELETE FROM " DNC_QUEUE_FINISHED " w WHERE w.instance = $1 AND "
						 "w.done_at < clock_timestamp() - $7 * interval '1 s' AND "
						 "(w.account = $8 OR " DNC_QUEUE_IS_OF_SERVER ") "
						 "AND (w.action <> 'add' OR w.xid < $9) "
						 "AND NOT EXISTS (SELECT FROM " DNC_QUEUE_WAITING " r WHERE "
						 "r.action = 'delete' AND " DNC_QUEUE_SAME_PERSON("r", "w") ") "
						 "AND NOT EXISTS (SELECT FROM %1$s.dnc_fdw_mirror_lists m WHERE "
						 "w.done_at >= m.needs_since AND (m.account = w.account OR EXISTS "
						 "(SELECT FROM pg_foreign_table x JOIN pg_foreign_table y USING (ftserver) "
						 "WHERE x.ftrelid = w.relation AND y.ftrelid = m.source)))", &arguments);
}
