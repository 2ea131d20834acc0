/*-------------------------------------------------------------------------
 *
 * acknowledged.c
 *		Acknowledged writes of the other write_modes, for mirrors and for the queue.
 *
 * A mirror knows the list as it was when its pages were read.  It also needs our own writes, at
 * once.  So acknowledged writes become rows of dnc_fdw_queue_finished.  The queue's own writes are
 * such rows anyway.  For write_mode 'commit' and 'immediate' we insert the rows here.
 *
 * We insert them in the transaction that has written, after the vendor's answer.  If that
 * transaction is rolled back, the records are lost, but the vendor keeps the writes.  A removal
 * without a record hides nobody: the entry counts as listed until the mirror's passes miss it.  An
 * addition without a record is unknown until the next pass, like additions by others.
 *
 * A rollback to a savepoint may take back only the record of an addition.  Then the record of an
 * earlier removal would hide the person, who is listed again.  Removals of the queue that the
 * addition had overtaken would wait again.  So we remember additions of subtransactions, even if
 * a later write of their statement fails.  At COMMIT we record those whose records were lost, if a
 * mirror or the queue needs them.
 *
 * The records also keep removals of the queue from taking persons whom another write_mode has
 * added.  So we also record if such removals wait, or may come from a transaction under way.
 *
 * We look for a mirror after the vendor's answers.  If a mirror is created later, it also reads
 * the list later, and so finds our writes there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "queue/acknowledged.h"
#include "queue/guard.h"
#include "queue/store.h"
#include "queue/table.h"

/* Additions of one request of a subtransaction, in memory of their own. */
typedef struct KeptAdditions
{
	struct KeptAdditions *next;
	MemoryContext context;
	int			nest_level;		/* of the subtransaction with the records; 0: they are lost */
	DncAcknowledged request;
} KeptAdditions;

/* The kept additions of this transaction; in its memory. */
static KeptAdditions *kept = NULL;

/* The mirrors of account $1, or of server $2: its account may have changed since the last pass. */
#define MIRRORS_OF_ACCOUNT \
	"%1$s.dnc_fdw_mirror_lists l WHERE l.account = $1 OR EXISTS " \
	"(SELECT FROM pg_foreign_table t WHERE t.ftrelid = l.source AND t.ftserver = $2)"

/* Begin the arguments of MIRRORS_OF_ACCOUNT; false: this database has no mirror at all. */
static bool
account_arguments(const DncOptions *options, DncQueueArguments *arguments)
{
	Oid			relid = dnc_queue_relation("dnc_fdw_mirror_lists");

	if (!OidIsValid(relid) || dnc_queue_is_empty(relid))
		return false;
	dnc_queue_text_argument(arguments, dnc_queue_account(options));
	dnc_queue_argument(arguments, OIDOID, ObjectIdGetDatum(options->serverid));
	return true;
}

/* Does the account of a server have a mirror? */
static bool
has_mirror(const DncOptions *options)
{
	DncQueueArguments arguments = {0};

	return account_arguments(options, &arguments) &&
		dnc_queue_run("SELECT FROM " MIRRORS_OF_ACCOUNT " LIMIT 1", &arguments) > 0;
}

/* Does a mirror or the queue need the writes of an acknowledged request? */
static bool
is_wanted(const DncAcknowledged *request)
{
	const DncOptions *options = request->writes[0]->target->options;

	return has_mirror(options) || dnc_queue_removals_wait(options);
}

/*
 * The time to record for an addition that the vendor answered at this time.  It is later than the
 * passes over the account's mirrors that we know of.  If the clock was behind for a moment, the
 * addition would otherwise seem older than a pass, and a mirror would rely on that pass to show it.
 */
TimestampTz
dnc_queue_added_at(const DncOptions *options, TimestampTz answered)
{
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	TimestampTz passed;

	if (!account_arguments(options, &arguments))
		return answered;
	dnc_queue_open(&query, "SELECT max(greatest(l.complete_as_of, l.added_as_of, l.merged_at, "
				   "(SELECT max(p.began_at) FROM %1$s.dnc_fdw_pass_log p WHERE p.source = l.source AND p.state = 'running'))) "
				   "FROM " MIRRORS_OF_ACCOUNT, &arguments, false);
	passed = dnc_queue_time(&query, 0, 1);
	dnc_queue_close(&query);
	return passed != 0 ? Max(answered, passed + 1) : answered;
}

/* Store the writes of requests that a server has acknowledged. */
static void
store_requests(const DncAcknowledged *requests, int count)
{
	DncStoring *storing = dnc_store_begin(DNC_STORE_FINISHED);

	for (int i = 0; i < count; i++)
	{
		DncAcknowledged request = requests[i];

		if (request.writes[0]->action == DNC_ACTION_ADD)
			request.answered = dnc_queue_added_at(request.writes[0]->target->options, request.answered);
		for (int j = 0; j < request.count; j++)
		{
			CHECK_FOR_INTERRUPTS();
			dnc_store_finished(storing, request.writes[j], &request);
		}
	}
	dnc_store_end(storing);
}

/* ----- additions whose records a savepoint may take back ----- */

/* Before COMMIT or PREPARE, record the additions whose records are lost. */
static void
store_lost(void)
{
	bool		any = false;

	for (const KeptAdditions *additions = kept; additions; additions = additions->next)
		any = any || additions->nest_level == 0;
	if (!any || !dnc_queue_exists())
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	for (const KeptAdditions *additions = kept; additions; additions = additions->next)
	{
		if (additions->nest_level == 0 && is_wanted(&additions->request))
			store_requests(&additions->request, 1);
	}
	PopActiveSnapshot();
}

/* XactCallback. */
static void
at_transaction_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			store_lost();
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			kept = NULL;		/* the transaction frees the memory */
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
	}
}

/* SubXactCallback: a subtransaction's records pass to its parent, or are lost. */
static void
at_subtransaction_event(SubXactEvent event, SubTransactionId subid, SubTransactionId parentid,
						void *arg)
{
	int			level = GetCurrentTransactionNestLevel();
	KeptAdditions **link = &kept;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	while (*link)
	{
		KeptAdditions *additions = *link;

		if (additions->nest_level >= level)
			additions->nest_level = event == SUBXACT_EVENT_ABORT_SUB ? 0 : level - 1;
		if (additions->nest_level != 1)
			link = &additions->next;
		else
		{
			*link = additions->next;
			MemoryContextDelete(additions->context);
		}
	}
}

/* Keep the additions of a subtransaction's request: a rollback may lose their records. */
static void
keep_additions(const DncAcknowledged *request)
{
	static bool registered = false;
	MemoryContext context;
	KeptAdditions *additions;

	if (!registered)
	{
		RegisterXactCallback(at_transaction_event, NULL);
		RegisterSubXactCallback(at_subtransaction_event, NULL);
		registered = true;
	}
	context = AllocSetContextCreate(TopTransactionContext, "dnc_fdw kept additions",
									ALLOCSET_SMALL_SIZES);
	additions = MemoryContextAllocZero(context, sizeof(KeptAdditions));
	additions->context = context;
	additions->nest_level = GetCurrentTransactionNestLevel();
	additions->request = *request;
	additions->request.writes = MemoryContextAlloc(context, sizeof(DncWrite *) * request->count);
	for (int i = 0; i < request->count; i++)
	{
		const char *values[DNC_MAX_MEMBERS];

		dnc_write_unpack(request->writes[i], values);
		additions->request.writes[i] = dnc_write_make(context, 0, request->writes[i]->target,
													  DNC_ACTION_ADD, values);
	}
	additions->next = kept;
	kept = additions;
}

/*
 * DncAfterSending: record the acknowledged writes to a server if a mirror or the queue needs them,
 * and let senders claim additions again.  Raises the errors of inserting into a table.
 */
void
dnc_queue_record_acknowledged(const DncAcknowledged *requests, int count, bool failed)
{
	if (GetCurrentTransactionNestLevel() > 1)
	{
		for (int i = 0; i < count; i++)
		{
			if (requests[i].writes[0]->action == DNC_ACTION_ADD)
				keep_additions(&requests[i]);
		}
	}
	if (failed)
		return;
	if (is_wanted(&requests[0]))
		store_requests(requests, count);
	for (int i = 0; i < count; i++)
	{
		if (requests[i].writes[0]->action != DNC_ACTION_REMOVE)
			continue;
		dnc_queue_let_claim(requests[0].writes[0]->target->options);
		break;
	}
}
