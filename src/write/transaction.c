/*-------------------------------------------------------------------------
 *
 * transaction.c
 *		This transaction's waiting writes.
 *
 * A write is put here when its statement runs, checked; nothing is sent
 * before COMMIT.  ROLLBACK, ROLLBACK TO SAVEPOINT and errors drop what they
 * take back.  What happens at COMMIT is commit.c's job.
 *
 * Entries of a subtransaction are always the last ones of their queue: so its
 * abort is a matter of taking entries off the end.
 *
 * Of write_mode 'immediate' nothing waits here, but what was sent is counted:
 * for max_deletes, and to say so should the transaction be rolled back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "config/credential.h"
#include "write/commit.h"
#include "write/transaction.h"

/* The whole of it lives in one context below the transaction's. */
typedef struct DncTransaction
{
	MemoryContext context;
	DncPending   *queues;
	DncTarget  *targets;
} DncTransaction;

/* This transaction's; NULL: it has written nothing. */
static DncTransaction *outbox = NULL;

/* The name of a queue's server. */
static const char *
server_name(const DncPending *queue)
{
	const DncTarget *target = outbox->targets;

	while (target->queue != queue)
		target = target->next;
	return target->options->server_name;
}

/* Two-phase commit would promise what can only be known once it was sent. */
static void
refuse_prepare(void)
{
	for (DncPending *queue = outbox->queues; queue; queue = queue->next)
	{
		if (queue->count > 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that has written to server \"%s\"",
							server_name(queue)),
					 errdetail("Its writes are sent at COMMIT, and can fail then."),
					 errhint("Use COMMIT, or leave the foreign table out of this transaction.")));
	}
}

/*
 * The transaction is rolled back: say what it cannot take back.  Only to the log
 * where the process ends with it: whoever reads what a background worker sends
 * (pg_cron does) may take its last message for the outcome, and that was an error.
 */
static void
warn_of_taken(void)
{
	int			level = proc_exit_inprogress ? LOG_SERVER_ONLY : WARNING;

	for (DncPending *queue = outbox->queues; queue; queue = queue->next)
	{
		if (queue->taken[DNC_ACTION_ADD] + queue->taken[DNC_ACTION_REMOVE] > 0)
			ereport(level,
					(errmsg("server \"%s\" keeps what was sent to it at once (additions: %lld, deletions: %lld)",
							server_name(queue), (long long) queue->taken[DNC_ACTION_ADD],
							(long long) queue->taken[DNC_ACTION_REMOVE]),
					 errdetail("The transaction is rolled back, but write_mode is 'immediate'.")));
	}
}

/* XactCallback. */
static void
at_transaction_event(XactEvent event, void *arg)
{
	if (outbox == NULL)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			dnc_commit_send_all(outbox->queues, outbox->context);
			break;
		case XACT_EVENT_PRE_PREPARE:
			refuse_prepare();
			break;
		case XACT_EVENT_ABORT:
			warn_of_taken();
			outbox = NULL;		/* its memory goes with the transaction's */
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			outbox = NULL;
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
	}
}

/* SubXactCallback: drop what is taken back, hand on what is kept. */
static void
at_subtransaction_event(SubXactEvent event, SubTransactionId subid, SubTransactionId parentid,
						void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (outbox == NULL)
		return;
	for (DncPending *queue = outbox->queues; queue; queue = queue->next)
	{
		if (event == SUBXACT_EVENT_ABORT_SUB)
		{
			while (queue->count > 0 && queue->entries[queue->count - 1]->nest_level >= level)
				dnc_pending_drop_last(queue);
		}
		else if (event == SUBXACT_EVENT_COMMIT_SUB)
		{
			for (int i = queue->count - 1; i >= 0 && queue->entries[i]->nest_level >= level; i--)
				queue->entries[i]->nest_level = level - 1;
		}
	}
}

/* Make this transaction's outbox. */
static void
ensure_outbox(void)
{
	static bool registered = false;
	MemoryContext context;
	DncTransaction  *box;

	if (outbox)
		return;
	if (!registered)
	{
		RegisterXactCallback(at_transaction_event, NULL);
		RegisterSubXactCallback(at_subtransaction_event, NULL);
		registered = true;
	}
	context = AllocSetContextCreate(TopTransactionContext, "dnc_fdw outbox",
									ALLOCSET_DEFAULT_SIZES);
	box = MemoryContextAllocZero(context, sizeof(DncTransaction));
	box->context = context;
	outbox = box;
}

/* This transaction's queues, linked by next; NULL: it has written nothing. */
DncPending *
dnc_transaction_queues(void)
{
	return outbox ? outbox->queues : NULL;
}

/* The writes to a server that wait for COMMIT; NULL: none does. */
const DncPending *
dnc_transaction_queue(Oid serverid)
{
	for (const DncPending *queue = dnc_transaction_queues(); queue; queue = queue->next)
	{
		if (queue->serverid == serverid && queue->count > 0)
			return queue;
	}
	return NULL;
}

/* The queue of a server, made if need be. */
static DncPending *
ensure_queue(Oid serverid)
{
	DncPending  **link = &outbox->queues;

	while (*link && (*link)->serverid != serverid)
		link = &(*link)->next;
	if (*link == NULL)
		*link = dnc_pending_make(outbox->context, serverid);
	return *link;
}

/*
 * Where writes to a table go, as a user; lives as long as the transaction.
 * Raises what dnc_credential_options() raises: there has to be a token before
 * anything waits.
 */
DncTarget *
dnc_transaction_target(Oid serverid, Oid relid, Oid userid)
{
	MemoryContext before;
	const DncOptions *options;
	DncTarget  *target;

	ensure_outbox();
	for (target = outbox->targets; target; target = target->next)
	{
		if (target->relid == relid && target->userid == userid)
			return target;
	}
	before = MemoryContextSwitchTo(outbox->context);
	options = dnc_credential_options(dnc_options_load(serverid, relid), userid);
	target = palloc0(sizeof(DncTarget));
	target->relid = relid;
	target->userid = userid;
	target->options = options;
	target->next = outbox->targets;
	target->queue = ensure_queue(serverid);
	outbox->targets = target;
	MemoryContextSwitchTo(before);
	return target;
}
