/*-------------------------------------------------------------------------
 *
 * transaction.c
 *		This transaction's writes.
 *
 * A statement puts its checked writes here, and we send nothing before COMMIT.  ROLLBACK,
 * ROLLBACK TO SAVEPOINT and errors drop the writes that they take back.  commit.c does the
 * sending.
 *
 * The writes of a subtransaction are always the last ones of their collection.  So we
 * drop them by taking writes off its end.
 *
 * With write_mode 'queue' we store the writes at COMMIT or PREPARE, and send them later.
 *
 * With write_mode 'immediate' writes wait here for the end of the outermost statement.  We count
 * the writes that we have sent: max_deletes needs the count, and so does the user, should the
 * transaction be rolled back.
 *
 * An account is a provider and the name from the option "account".  It has one collection,
 * whatever the role, the table and the server.
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
	DncAccountWrites *accounts;
	DncOpenRoute *routes;		/* of the statements that run, the latest first */
	List	   *targets;		/* of DncTarget */
} Transaction;

/* The state of this transaction; NULL: it has written nothing. */
static Transaction *current = NULL;

/* Refuse PREPARE: it promises a success that we only know after the sending. */
static void
refuse_prepare(void)
{
	for (DncAccountWrites *account = current->accounts; account; account = account->next)
	{
		if (account->pending->count > 0 && account->store == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that has written to server \"%s\"",
							account->pending->writes[0]->target->options->server_name),
					 errdetail("Its writes are sent at COMMIT, and can fail then."),
					 errhint("Use COMMIT, or leave the foreign table out of this transaction.")));
	}
}

/* Store the writes that we do not send.  Raises the errors of DncRouteKind.store. */
static void
store_writes(void)
{
	for (DncAccountWrites *account = current->accounts; account; account = account->next)
	{
		if (account->pending->count > 0 && account->store)
			account->store(account);
	}
}

/*
 * The transaction is rolled back: warn of the writes that we cannot take back.  If the process
 * ends with the transaction, we warn only in the log.  A client of a background worker, pg_cron
 * for example, may take the last message for the outcome, and that was an error.
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
			store_writes();
			dnc_commit_send_all(current->servers, current->accounts, current->context);
			break;
		case XACT_EVENT_PRE_PREPARE:
			refuse_prepare();
			store_writes();
			break;
		case XACT_EVENT_ABORT:
			dnc_commit_log_cut_off();
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

/* Forget the statements of a subtransaction of this nest level; an error has ended them. */
static void
close_level(int level)
{
	DncOpenRoute **link = &current->routes;

	while (*link)
	{
		DncOpenRoute *route = *link;

		if (route->nest_level < level)
			link = &route->next;
		else
		{
			*link = route->next;
			pfree(route);
		}
	}
}

/* SubXactCallback: drop the writes of an aborted subtransaction, or hand them on to its parent. */
static void
at_subtransaction_event(SubXactEvent event, SubTransactionId subid, SubTransactionId parentid,
						void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
		dnc_commit_log_cut_off();
	if (current == NULL)
		return;
	if (event == SUBXACT_EVENT_ABORT_SUB)
		close_level(level);
	for (DncAccountWrites *account = current->accounts; account; account = account->next)
	{
		if (event == SUBXACT_EVENT_ABORT_SUB)
			drop_level(account->pending, level);
		else if (event == SUBXACT_EVENT_COMMIT_SUB)
			lift_level(account->pending, level);
	}
}

/* Make the state of this transaction, unless it is there. */
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

/* The servers that this transaction writes to; NULL: none. */
DncServerWrites *
dnc_transaction_servers(void)
{
	return current ? current->servers : NULL;
}

/* The writes of this transaction, account by account; NULL: none. */
DncAccountWrites *
dnc_transaction_accounts(void)
{
	return current ? current->accounts : NULL;
}

/* Do some options name this account? */
static bool
is_account(const DncAccountWrites *account, const DncOptions *options)
{
	return account->provider == options->provider && strcmp(account->name, options->account) == 0;
}

/* The writes of this transaction to the account of some options; NULL: none. */
static DncAccountWrites *
find_account(const DncOptions *options)
{
	DncAccountWrites *account = dnc_transaction_accounts();

	while (account && !is_account(account, options))
		account = account->next;
	return account;
}

/* Do writes to an account wait, or is a statement writing to it? */
static bool
is_in_use(const DncAccountWrites *account)
{
	if (account->pending->count > 0)
		return true;
	for (const DncOpenRoute *route = current->routes; route; route = route->next)
	{
		if (route->account == account)
			return true;
	}
	return false;
}

/*
 * Refuse a token that writes of this transaction to another account have too (0A000).  Then both
 * accounts are one list, and we would not know the order of its writes.
 */
static void
refuse_other_account(const DncOptions *options)
{
	ListCell   *lc;

	foreach(lc, current ? current->targets : NIL)
	{
		const DncOptions *other = ((DncTarget *) lfirst(lc))->options;

		if (dnc_target_is_same_token(options, other) &&
			strcmp(options->account, other->account) != 0 && is_in_use(find_account(other)))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("servers \"%s\" and \"%s\" have the same token, but different accounts",
							other->server_name, options->server_name),
					 errdetail("They are one list, and what this transaction has written to the first one waits."),
					 errhint("ALTER SERVER ... OPTIONS (ADD account '...'), the same for both; or COMMIT first.")));
	}
}

/*
 * The waiting writes to the account of some options, with a token; NULL: none.  Raises 0A000
 * where writes to another account wait for the same list.
 */
const DncPending *
dnc_transaction_pending(const DncOptions *options)
{
	DncAccountWrites *account = find_account(options);

	refuse_other_account(options);
	return account && account->pending->count > 0 ? account->pending : NULL;
}

/* The writes of this transaction to the account of one of its targets; made if there are none. */
DncAccountWrites *
dnc_transaction_account(const DncTarget *target)
{
	const DncOptions *options = target->options;
	DncAccountWrites **link = &current->accounts;

	while (*link && !is_account(*link, options))
		link = &(*link)->next;
	if (*link == NULL)
	{
		*link = MemoryContextAllocZero(current->context, sizeof(DncAccountWrites));
		(*link)->name = options->account;
		(*link)->provider = options->provider;
		(*link)->pending = dnc_pending_make(current->context);
	}
	return *link;
}

/* Take note of a server that this transaction writes to. */
static void
ensure_server(const DncOptions *options)
{
	DncServerWrites **link = &current->servers;

	while (*link && (*link)->serverid != options->serverid)
		link = &(*link)->next;
	if (*link)
		return;
	*link = MemoryContextAllocZero(current->context, sizeof(DncServerWrites));
	(*link)->serverid = options->serverid;
	(*link)->server_name = MemoryContextStrdup(current->context, options->server_name);
}

/*
 * The target of a statement's writes to a table, as a user; lives as long as the transaction.  It
 * has the options of now.  Statements share a target as long as nothing has changed, so that
 * their writes share requests.  Raises the errors of dnc_target_make(), and 0A000 where writes to
 * another account wait for the same list.
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
			refuse_other_account(((DncTarget *) lfirst(lc))->options);
			return lfirst(lc);
		}
	}
	refuse_other_account(target->options);
	MemoryContextSetParent(context, current->context);
	before = MemoryContextSwitchTo(current->context);
	current->targets = lappend(current->targets, target);
	MemoryContextSwitchTo(before);
	ensure_server(target->options);
	(void) dnc_transaction_account(target);
	return target;
}

/* ----- statements that run ----- */

/* The parts of the statements that run, the latest first; NULL: none. */
const DncOpenRoute *
dnc_transaction_routes(void)
{
	return current ? current->routes : NULL;
}

/* A part of a statement begins: keep a copy of *route until the part ends, or an error ends it. */
DncOpenRoute *
dnc_transaction_open(const DncOpenRoute *route)
{
	DncOpenRoute *kept = MemoryContextAlloc(current->context, sizeof(DncOpenRoute));

	*kept = *route;
	kept->nest_level = GetCurrentTransactionNestLevel();
	kept->next = current->routes;
	current->routes = kept;
	return kept;
}

/* The part of a statement is over. */
void
dnc_transaction_close(DncOpenRoute *route)
{
	DncOpenRoute **link = &current->routes;

	while (*link != route)
		link = &(*link)->next;
	*link = route->next;
	pfree(route);
}
