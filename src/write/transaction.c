/*-------------------------------------------------------------------------
 *
 * transaction.c
 *		This transaction's writes.
 *
 * A statement puts its writes here, checked, and we send nothing before COMMIT.
 * ROLLBACK, ROLLBACK TO SAVEPOINT and errors drop the writes that they take back.
 * commit.c does the sending.
 *
 * The writes of a subtransaction are always the last ones of their collection.  So we
 * drop them by taking writes off its end.
 *
 * With write_mode 'immediate' no write waits here.  We count what was sent: max_deletes
 * needs to know, and so does the user, should the transaction be rolled back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "write/transaction.h"

/* All of it lives in one context below the transaction's. */
typedef struct Transaction
{
	MemoryContext context;
	DncServerWrites *servers;
	List	   *targets;		/* of DncTarget */
} Transaction;

/* This transaction's; NULL: it has written nothing. */
static Transaction *current = NULL;

/* Two-phase commit would promise what we only know once it was sent. */
static void
refuse_prepare(void)
{
	for (DncServerWrites *server = current->servers; server; server = server->next)
	{
		if (server->pending->count > 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that has written to server \"%s\"",
							server->server_name),
					 errdetail("Its writes are sent at COMMIT, and can fail then."),
					 errhint("Use COMMIT, or leave the foreign table out of this transaction.")));
	}
}

/*
 * The transaction is rolled back: say what we cannot take back.  If the process ends with
 * it, we say so to the log only.  A client of a background worker, pg_cron for example,
 * may take the last message for the outcome, and that was an error.
 */
static void
warn_of_taken(void)
{
	int			level = proc_exit_inprogress ? LOG_SERVER_ONLY : WARNING;

	for (DncServerWrites *server = current->servers; server; server = server->next)
	{
		if (server->taken[DNC_ACTION_ADD] + server->taken[DNC_ACTION_REMOVE] > 0)
			ereport(level,
					(errmsg("server \"%s\" keeps what was sent to it at once (additions: %lld, deletions: %lld)",
							server->server_name, (long long) server->taken[DNC_ACTION_ADD],
							(long long) server->taken[DNC_ACTION_REMOVE]),
					 errdetail("The transaction is rolled back, but write_mode is 'immediate'.")));
	}
}

/* XactCallback. */
static void
at_transaction_event(XactEvent event, void *arg)
{
	if (current == NULL)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			dnc_commit_send_all(current->servers, current->context);
			break;
		case XACT_EVENT_PRE_PREPARE:
			refuse_prepare();
			break;
		case XACT_EVENT_ABORT:
			warn_of_taken();
			current = NULL;		/* its memory goes with the transaction's */
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			current = NULL;
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
	}
}

/* Drop the writes of a subtransaction of this nest level, and of those within it. */
static void
drop_level(DncPending *pending, int level)
{
	while (pending->count > 0 && dnc_pending_at(pending, pending->count - 1)->nest_level >= level)
		dnc_pending_drop_last(pending);
}

/* Hand the writes of a subtransaction of this nest level on to its parent. */
static void
lift_level(DncPending *pending, int level)
{
	for (int i = pending->count - 1; i >= 0; i--)
	{
		DncPendingWrite *waiting = dnc_pending_at(pending, i);

		if (waiting->nest_level < level)
			break;
		waiting->nest_level = level - 1;
	}
}

/* SubXactCallback: drop what is taken back, hand on what is kept. */
static void
at_subtransaction_event(SubXactEvent event, SubTransactionId subid, SubTransactionId parentid,
						void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (current == NULL)
		return;
	for (DncServerWrites *server = current->servers; server; server = server->next)
	{
		if (event == SUBXACT_EVENT_ABORT_SUB)
			drop_level(server->pending, level);
		else if (event == SUBXACT_EVENT_COMMIT_SUB)
			lift_level(server->pending, level);
	}
}

/* Make what this transaction is kept in. */
static void
ensure_current(void)
{
	static bool registered = false;
	MemoryContext context;
	Transaction *transaction;

	if (current)
		return;
	if (!registered)
	{
		RegisterXactCallback(at_transaction_event, NULL);
		RegisterSubXactCallback(at_subtransaction_event, NULL);
		registered = true;
	}
	context = AllocSetContextCreate(TopTransactionContext, "dnc_fdw transaction",
									ALLOCSET_DEFAULT_SIZES);
	transaction = MemoryContextAllocZero(context, sizeof(Transaction));
	transaction->context = context;
	current = transaction;
}

/* What this transaction has written, server by server; NULL: nothing. */
DncServerWrites *
dnc_transaction_servers(void)
{
	return current ? current->servers : NULL;
}

/* The writes to a server that wait for COMMIT; NULL: none does. */
const DncPending *
dnc_transaction_pending(Oid serverid)
{
	for (DncServerWrites *server = dnc_transaction_servers(); server; server = server->next)
	{
		if (server->serverid == serverid && server->pending->count > 0)
			return server->pending;
	}
	return NULL;
}

/* What this transaction has written to the server of one of its targets. */
DncServerWrites *
dnc_transaction_server(const DncTarget *target)
{
	const DncOptions *options = target->options;
	DncServerWrites **link = &current->servers;
	DncServerWrites *server;

	while (*link && (*link)->serverid != options->serverid)
		link = &(*link)->next;
	if (*link)
		return *link;
	server = MemoryContextAllocZero(current->context, sizeof(DncServerWrites));
	server->serverid = options->serverid;
	server->server_name = MemoryContextStrdup(current->context, options->server_name);
	server->pending = dnc_pending_make(current->context);
	*link = server;
	return server;
}

/*
 * Where a statement's writes to a table go, as a user; lives as long as the transaction.
 * The options are those of now.  Statements share a target as long as nothing has changed,
 * so that their writes share requests.  Raises what dnc_target_make() raises.
 */
DncTarget *
dnc_transaction_target(Oid serverid, Oid relid, Oid userid)
{
	MemoryContext before;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw target",
												  ALLOCSET_SMALL_SIZES);
	DncTarget  *target = dnc_target_make(context, serverid, relid, userid);
	ListCell   *lc;

	ensure_current();
	foreach(lc, current->targets)
	{
		if (dnc_target_equal(lfirst(lc), target))
		{
			MemoryContextDelete(context);
			return lfirst(lc);
		}
	}
	MemoryContextSetParent(context, current->context);
	before = MemoryContextSwitchTo(current->context);
	current->targets = lappend(current->targets, target);
	MemoryContextSwitchTo(before);
	return target;
}
