/*-------------------------------------------------------------------------
 *
 * enqueue.c
 *		write_mode 'queue': writes are stored at COMMIT, and sent later.
 *
 * Until COMMIT or PREPARE TRANSACTION the writes wait in the transaction, as with write_mode
 * 'commit'.  Savepoints, command visibility and the transaction's own view of the list work in the
 * same way.  Then the writes that were not rolled back or overtaken become rows of a table, so
 * they are as durable as the transaction.  We only insert, so writers never wait for each other.
 *
 * A removal may take only entries that its statement could see.  So its row has the snapshot of
 * the statement.  If the snapshot does not show an addition of the same person, claim.c does not
 * send the removal.
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

/* The snapshot of a statement with removals. */
typedef struct SeenSnapshot
{
	struct SeenSnapshot *next;
	CommandId	command;		/* as DncPendingWrite.seen */
	DncSeen		seen;
} SeenSnapshot;

/* The snapshots of this transaction's statements; in its memory. */
static SeenSnapshot *snapshots = NULL;

/* ----- the route ----- */

/* Callback of the transaction's memory context. */
static void
forget_snapshots(void *arg)
{
	snapshots = NULL;
}

/* Keep the snapshot of a statement with removals, unless we already have it. */
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

/* DncRouteKind.begin.  Raises 55000 if the SQL objects of the queue are missing. */
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

/* Check max_deletes for the writes of an account that were not overtaken, server by server. */
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
 * DncRouteKind.store: store the writes that were not overtaken as rows.  Raises 54000 if there are
 * more removals than max_deletes, and the errors of inserting into a table.
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

/*
 * For _PG_init(): store the rows of write_mode 'queue', show waiting additions to scans, and guard
 * the queue against the other write_modes.
 */
void
dnc_queue_init(void)
{
	dnc_route_register(DNC_WRITE_QUEUE, &by_queue);
	dnc_overlay_register(dnc_queue_find_additions);
	dnc_commit_register(dnc_queue_guard, dnc_queue_record_acknowledged);
}
