/*-------------------------------------------------------------------------
 *
 * enqueue.c
 *		write_mode 'queue': writes are stored at COMMIT, and sent later.
 *
 * Until COMMIT or PREPARE TRANSACTION the writes wait in the transaction, as with
 * write_mode 'commit'.  Savepoints, command visibility and the transaction's own view of
 * the list are the same.  Then the writes that stand become rows of a table, in bulk, so
 * that they are as durable as the transaction.  We only insert, so writers never wait for
 * each other.
 *
 * A removal may take only entries that its statement could see.  So its row has the snapshot of
 * the statement: claim.c does not send the removal if somebody else has added the person since.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "queue/acknowledged.h"
#include "queue/due.h"
#include "queue/enqueue.h"
#include "queue/forget.h"
#include "queue/guard.h"
#include "queue/queued.h"
#include "queue/store.h"
#include "queue/table.h"
#include "write/limits.h"
#include "write/overlay.h"
#include "write/route.h"
#include "write/settle.h"
#include "write/transaction.h"

/* The snapshot of a statement that removes. */
typedef struct SeenSnapshot
{
	struct SeenSnapshot *next;
	CommandId	command;		/* as DncPendingWrite.seen */
	DncSeen		seen;
} SeenSnapshot;

/* The snapshots of this transaction's statements; in its memory. */
static SeenSnapshot *snapshots = NULL;

/* ----- the route ----- */

/* Callback of the transaction's memory. */
static void
forget_snapshots(void *arg)
{
	snapshots = NULL;
}

/* Keep the snapshot of a statement that removes, unless we have it. */
static void
keep_snapshot(Snapshot snapshot)
{
	MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);
	SeenSnapshot *seen;

	for (seen = snapshots; seen; seen = seen->next)
	{
		if (seen->command == snapshot->curcid)
			break;
	}
	if (seen == NULL)
	{
		if (snapshots == NULL)
		{
			MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

			callback->func = forget_snapshots;
			MemoryContextRegisterResetCallback(TopTransactionContext, callback);
		}
		PushActiveSnapshot(snapshot);
		seen = palloc(sizeof(SeenSnapshot));
		seen->command = snapshot->curcid;
		seen->seen.snapshot = OidFunctionCall0(F_PG_CURRENT_SNAPSHOT);
		seen->seen.at = GetCurrentStatementStartTimestamp();
		seen->next = snapshots;
		snapshots = seen;
		PopActiveSnapshot();
	}
	MemoryContextSwitchTo(before);
}

/* DncRouteKind.begin.  Raises 55000 where the queue has no SQL objects. */
static DncRoute *
begin_queue(DncAccountWrites *account, const DncTarget *target,
			const DncRouteStatement *statement)
{
	dnc_queue_require();
	if (statement->action == DNC_ACTION_REMOVE)
	{
		dnc_forget_wait_for_us();
		keep_snapshot(statement->estate->es_snapshot);
	}
	return dnc_route_begin_until_commit(account, target, statement);
}

/* ----- at COMMIT ----- */

/* The snapshot of the statement of a removal; NULL for an addition. */
static const DncSeen *
seen_of(const DncPendingWrite *waiting)
{
	const SeenSnapshot *seen = snapshots;

	if (waiting->write.action == DNC_ACTION_ADD)
		return NULL;
	while (seen && seen->command != waiting->seen)
		seen = seen->next;
	if (seen == NULL)
		elog(ERROR, "a removal has no snapshot");
	return &seen->seen;
}

/* Check max_deletes for the writes of an account that stand, server by server. */
static void
check_deletes(const DncPending *pending)
{
	DncWrite  **removals;

	if (pending->removals == 0)
		return;
	removals = MemoryContextAllocHuge(CurrentMemoryContext,
									  sizeof(DncWrite *) * pending->removals);
	for (const DncServerWrites *server = dnc_transaction_servers(); server; server = server->next)
	{
		int			count = 0;

		for (int i = 0; i < pending->count; i++)
		{
			const DncPendingWrite *waiting = dnc_pending_at(pending, i);

			if (waiting->write.action == DNC_ACTION_REMOVE && !waiting->overtaken &&
				waiting->write.target->options->serverid == server->serverid)
				removals[count++] = pending->writes[i];
		}
		dnc_limits_check_deletes(removals, count, 0);
	}
}

/*
 * DncRouteKind.store: make rows of the writes that stand.  Raises 54000 where max_deletes is
 * exceeded, and the errors of inserting into a table.
 */
static void
store(DncAccountWrites *account)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw enqueue",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	DncPending *pending = account->pending;
	DncStoring *storing;

	dnc_settle_mark_overtaken(pending);
	check_deletes(pending);
	storing = dnc_store_begin(DNC_STORE_WAITING);
	for (int i = 0; i < pending->count; i++)
	{
		const DncPendingWrite *waiting = dnc_pending_at(pending, i);

		CHECK_FOR_INTERRUPTS();
		if (!waiting->overtaken)
			dnc_store_waiting(storing, &waiting->write, seen_of(waiting));
	}
	dnc_store_end(storing);
	dnc_queue_changed();
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
}

static const DncRouteKind by_queue = {
	.begin = begin_queue,
	.flush = dnc_route_flush_until_commit,
	.end = dnc_route_end_until_commit,
	.store = store,
};

/* For _PG_init(): take the rows of write_mode 'queue', and show them to scans. */
void
dnc_queue_init(void)
{
	dnc_route_register(DNC_WRITE_QUEUE, &by_queue);
	dnc_overlay_register(dnc_queue_find_additions);
	dnc_commit_register(dnc_queue_guard, dnc_queue_record_acknowledged);
}
