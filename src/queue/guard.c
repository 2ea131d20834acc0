/*-------------------------------------------------------------------------
 *
 * guard.c
 *		Writes by another write_mode while the queue has writes.
 *
 * Somebody may add persons to an account with write_mode 'commit' while deletions of the same
 * persons wait in its queue.  These deletions could not see the additions.  So we finish them
 * before we send.  We hold their rows until our transaction ends, and a sender leaves out rows
 * that are held.
 *
 * Other deletions may be committed while we send.  So we hold a lock of the account until our
 * transaction ends, and no sender claims deletions meanwhile.  Afterwards the senders find the
 * records of our additions: see acknowledged.c.
 *
 * A deletion by another write_mode would overtake a waiting addition of the same person, who
 * would then be on the list for good.  So we refuse the deletion.  If an addition is committed
 * after we have looked, it must not arrive before the deletion.  So no sender claims additions
 * until we have our answers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "match/key.h"
#include "match/server_text.h"
#include "queue/forget.h"
#include "queue/guard.h"
#include "queue/statements.h"
#include "queue/table.h"

#define IS_ADDITION "w.action = 'add' AND " DNC_QUEUE_IS_OF_LIST
#define IS_DELETION "w.action = 'delete' AND " DNC_QUEUE_IS_OF_LIST

/* Is row w about a person of $4 (keys) or $5 (texts)?  Compares as DNC_QUEUE_SAME_PERSON does. */
#define IS_OF_PERSONS "(w.match_key = ANY ($4) OR " DNC_QUEUE_FOLDED("w") " = ANY ($5))"

/* The match key of the entry that a write is about, in the database's encoding; palloc'd. */
char *
dnc_queue_key(const DncWrite *write)
{
	const DncOptions *options = write->target->options;
	const DncField *field = dnc_provider_field(options->provider, DNC_COL_IDENTIFIER_TYPE);
	const char *identifier = dnc_write_value(write, DNC_COL_IDENTIFIER);
	const char *type = dnc_write_value(write, DNC_COL_IDENTIFIER_TYPE);
	bool		whole;

	if (identifier == NULL)
		elog(ERROR, "a write to server \"%s\" has no identifier", options->server_name);
	if (type == NULL && field)
		type = field->constant;
	return dnc_match_to_server(dnc_match_entry_key(identifier, type, options->default_country,
												   options->provider->ignores_plus), &whole);
}

/* The identifier of a write, in the form of DNC_QUEUE_FOLDED; palloc'd. */
static char *
folded(const DncWrite *write)
{
	bool		whole;
	char	   *text = dnc_match_to_server(dnc_write_value(write, DNC_COL_IDENTIFIER), &whole);

	text += strspn(text, "+");
	text = pnstrdup(text, pg_mbcharcliplen(text, strlen(text), DNC_QUEUE_FOLDED_LENGTH));
	for (char *c = text; *c; c++)
		*c = (char) pg_ascii_tolower((unsigned char) *c);
	return text;
}

/* ----- holding claims ----- */

/* The locks of an action by another write_mode: of an account, and of a server. */
#define NLOCKS 2

/*
 * Make the locks for writes of an action to a list by another write_mode; see lock_tag() in
 * deliver.c.  An account may be named after its server, and the server may be renamed meanwhile:
 * so we lock both.
 */
static void
make_locks(const DncOptions *options, DncAction action, LOCKTAG *locks)
{
	const char *account = dnc_queue_account(options);
	uint32		key = hash_bytes((const unsigned char *) account, (int) strlen(account));
	uint32		first = 3 + NLOCKS * action;

	SET_LOCKTAG_ADVISORY(locks[0], MyDatabaseId, key, first, DNC_DELIVER_LOCK_CLASS);
	SET_LOCKTAG_ADVISORY(locks[1], MyDatabaseId, options->serverid, first + 1, DNC_DELIVER_LOCK_CLASS);
}

/*
 * This transaction is about to write by another write_mode.  Keep senders from claiming writes of
 * the other action.  If we add, they wait until this transaction ends.  If we remove, they wait
 * until dnc_queue_let_claim(), or until this transaction ends if the removal fails.  A rollback to a
 * savepoint is not enough, since it does not take back the effect of a request on the vendor.  So
 * the transaction owns the locks, and locks count how often they were taken.
 */
static void
hold_claims(const DncOptions *options, DncAction action)
{
	ResourceOwner owner = CurrentResourceOwner;
	LOCKTAG		locks[NLOCKS];

	make_locks(options, action, locks);
	CurrentResourceOwner = TopTransactionResourceOwner;
	for (int i = 0; i < NLOCKS; i++)
		(void) LockAcquire(&locks[i], ShareLock, false, false);
	CurrentResourceOwner = owner;
}

/*
 * Let senders claim additions again, since our removals by another write_mode were answered.  What
 * an earlier removal has taken, which failed, stays.
 */
void
dnc_queue_let_claim(const DncOptions *options)
{
	ResourceOwner owner = CurrentResourceOwner;
	LOCKTAG		locks[NLOCKS];

	make_locks(options, DNC_ACTION_REMOVE, locks);
	if (!dnc_holds_lock(&locks[0], ShareLock) || !dnc_holds_lock(&locks[1], ShareLock))
		return;
	CurrentResourceOwner = TopTransactionResourceOwner;
	for (int i = 0; i < NLOCKS; i++)
		(void) LockRelease(&locks[i], ShareLock, false);
	CurrentResourceOwner = owner;
}

/*
 * May a sender claim writes of an action?  False: a session with another write_mode is making
 * writes that must not mix with them.  True: such sessions wait until our transaction ends.
 */
bool
dnc_queue_may_claim(const DncOptions *options, DncAction action)
{
	LOCKTAG		locks[NLOCKS];

	make_locks(options, action == DNC_ACTION_ADD ? DNC_ACTION_REMOVE : DNC_ACTION_ADD, locks);
	for (int i = 0; i < NLOCKS; i++)
	{
		if (LockAcquire(&locks[i], ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
			return false;
	}
	return true;
}

/* ----- the rows ----- */

/* Does the queue have a waiting write of an action for the account? */
static bool
has_any(const DncQueueArguments *arguments, DncAction action)
{
	return dnc_queue_run(action == DNC_ACTION_ADD
						 ? "SELECT FROM " DNC_QUEUE_WAITING " w WHERE " IS_ADDITION " LIMIT 1"
						 : "SELECT FROM " DNC_QUEUE_WAITING " w WHERE " IS_DELETION " LIMIT 1",
						 arguments) > 0;
}

/*
 * Append an array of texts, one for each write of an action that was not overtaken.  A removal by
 * id alone has no identifier, so we leave it out.
 */
static void
persons_argument(const DncPending *pending, DncAction action, char *(*text_of) (const DncWrite *),
				 DncQueueArguments *arguments)
{
	Datum	   *texts = MemoryContextAllocHuge(CurrentMemoryContext,
											   sizeof(Datum) * Max(pending->count, 1));
	int			count = 0;

	for (int i = 0; i < pending->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (pending->writes[i]->action == action && !dnc_pending_at(pending, i)->overtaken &&
			dnc_write_value(pending->writes[i], DNC_COL_IDENTIFIER))
			texts[count++] = CStringGetTextDatum(text_of(pending->writes[i]));
	}
	dnc_queue_argument(arguments, TEXTARRAYOID,
					   PointerGetDatum(construct_array(texts, count, TEXTOID, -1, false,
													   TYPALIGN_INT)));
}

/* Append the keys and the folded identifiers of an action's writes, for IS_OF_PERSONS. */
static void
persons_arguments(const DncPending *pending, DncAction action, DncQueueArguments *arguments)
{
	persons_argument(pending, action, dnc_queue_key, arguments);
	persons_argument(pending, action, folded, arguments);
}

/* Lock the rows of the deletions.  Raises 55006 if one of them is being sent. */
static void
hold_deletions(const DncQueueArguments *arguments, const char *server_name)
{
	DncQueueQuery query;

	dnc_queue_open(&query, "SELECT w.state = 'sending' FROM " DNC_QUEUE_WAITING " w WHERE "
				   IS_OF_PERSONS " AND " IS_DELETION " ORDER BY w.id FOR UPDATE", arguments, false);
	for (uint64 i = 0; i < query.count; i++)
	{
		if (DatumGetBool(dnc_queue_datum(&query, i, 1)))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("a deletion of somebody who is to be added is on its way to server \"%s\"",
							server_name),
					 errdetail("It comes from the queue. If it arrived after the addition, the person would be off the list."),
					 errhint("Try again, or write with write_mode 'queue' too.")));
	}
	dnc_queue_close(&query);
}

/*
 * Finish the waiting deletions of persons whom we are about to add.  Raises 55006 if one of them
 * is being sent.
 */
static void
guard_additions(const DncPending *pending)
{
	const DncOptions *options = pending->writes[0]->target->options;
	DncQueueArguments arguments = {0};

	dnc_queue_list_arguments(options, &arguments);
	if (!has_any(&arguments, DNC_ACTION_REMOVE))
		return;
	persons_arguments(pending, DNC_ACTION_ADD, &arguments);
	hold_deletions(&arguments, options->server_name);
	(void) dnc_queue_run(DNC_QUEUE_FINISH(IS_OF_PERSONS " AND " IS_DELETION,
										  "'superseded'", "'somebody has added this person later'"), &arguments);
}

/* Raise 55006 if the queue has an addition of a person whom we are about to delete. */
static void
guard_removals(const DncPending *pending)
{
	const DncOptions *options = pending->writes[0]->target->options;
	DncQueueArguments arguments = {0};

	dnc_queue_list_arguments(options, &arguments);
	if (!has_any(&arguments, DNC_ACTION_ADD))
		return;
	persons_arguments(pending, DNC_ACTION_REMOVE, &arguments);
	if (dnc_queue_run("SELECT FROM " DNC_QUEUE_WAITING " w WHERE " IS_OF_PERSONS " AND "
					  IS_ADDITION " LIMIT 1", &arguments) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("an addition of somebody who is to be deleted is in the queue of server \"%s\"",
						options->server_name),
				 errdetail("If it arrived after the deletion, the person would be on the list again."),
				 errhint("CALL dnc_fdw_deliver('%s'), or SELECT dnc_fdw_queue_discard(...), and try again; or write with write_mode 'queue' too.",
						 options->server_name)));
}

/*
 * DncBeforeSending: keep the queue from undoing our writes, and our writes from undoing the
 * queue's.  Raises 55006 if we cannot.
 */
void
dnc_queue_guard(const DncPending *pending)
{
	Oid			relid = dnc_queue_relation("dnc_fdw_queue_waiting");

	if (!OidIsValid(relid))
		return;
	if (pending->count > pending->removals)
		hold_claims(pending->writes[0]->target->options, DNC_ACTION_ADD);
	if (pending->removals > 0)
		hold_claims(pending->writes[0]->target->options, DNC_ACTION_REMOVE);
	if (dnc_queue_is_empty(relid))
		return;
	if (pending->count > pending->removals)
		guard_additions(pending);
	if (pending->removals > 0)
		guard_removals(pending);
}

/* Does a removal from an account wait in the queue, or perhaps in another open transaction? */
bool
dnc_queue_removals_wait(const DncOptions *options)
{
	Oid			relid = dnc_queue_relation("dnc_fdw_queue_waiting");
	DncQueueArguments arguments = {0};

	if (!OidIsValid(relid))
		return false;
	if (dnc_forget_has_open_removals())
		return true;
	if (dnc_queue_is_empty(relid))
		return false;
	dnc_queue_list_arguments(options, &arguments);
	return has_any(&arguments, DNC_ACTION_REMOVE);
}
