/*-------------------------------------------------------------------------
 *
 * acknowledged.c
 *		Acknowledged writes of the other write_modes, where a mirror or the queue has to know them.
 *
 * A mirror knows the list as it was when its pages were read.  It also has to know our own writes
 * at once.  So these become rows of dnc_fdw_queue_finished: the queue's own writes by themselves,
 * those of write_mode 'commit' and 'immediate' here.
 *
 * We record in the transaction that has written, after the vendor's answer.  If the transaction
 * is rolled back, the record is lost, though the vendor keeps what was sent.  Without a record a
 * removal hides nobody: the entry counts as listed until the mirror's passes miss it.  Without a
 * record an addition is unknown until the next pass, like additions by others.
 *
 * A savepoint may take back only the record of an addition.  Then the record of an earlier
 * removal would hide the person, who is listed again, and removals of the queue that the addition
 * had overtaken would wait again.  So we keep additions of subtransactions, even if a later write
 * of their statement fails.  We record them at COMMIT if somebody has to know them then.
 *
 * The records also protect persons whom another write_mode has added from removals of the queue.
 * So we record too where such removals wait, or may come from a transaction that is not over.
 *
 * We look for a mirror after the answers.  A mirror that we do not see yet begins to read after
 * them, and so finds our writes.
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

/* Additions of a subtransaction, in memory of their own. */
typedef struct KeptAdditions
{
	struct KeptAdditions *next;
	MemoryContext context;
	int			nest_level;		/* of the subtransaction that has the records; 0: they are lost */
	DncAcknowledged request;
} KeptAdditions;

/* The kept additions of this transaction; in its memory. */
static KeptAdditions *kept = NULL;

/* The mirrors of an account.  A server may have got another account since its list was read last. */
#define MIRRORS_OF_ACCOUNT \
	"%1$s.dnc_fdw_mirror_lists l WHERE l.account = $1 OR EXISTS " \
	"(SELECT FROM pg_foreign_table t WHERE t.ftrelid = l.source AND t.ftserver = $2)"

/* The arguments of MIRRORS_OF_ACCOUNT; false: there is no mirror at all. */
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

/* Has the account of a server's writes a mirror? */
static bool
has_mirror(const DncOptions *options)
{
	DncQueueArguments arguments = {0};

	return account_arguments(options, &arguments) &&
		dnc_queue_run("SELECT FROM " MIRRORS_OF_ACCOUNT " LIMIT 1", &arguments) > 0;
}

/* Does a mirror or the queue have to know the writes of an acknowledged request? */
static bool
is_wanted(const DncAcknowledged *request)
{
	const DncOptions *options = request->writes[0]->target->options;

	return has_mirror(options) || dnc_queue_removals_wait(options);
}

/*
 * The time that is noted for an addition which was answered at some time: later than all passes over
 * the account's mirrors that we know of.  The clock may have been behind for a moment.  By that time
 * the addition would be older than a pass, and a mirror would take it for one that the pass has seen.
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

/* Record the additions whose records are lost; the transaction is about to be committed. */
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
			kept = NULL;		/* its memory goes with the transaction's */
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
	}
}

/* SubXactCallback: the records go to the subtransaction's parent, or are lost. */
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

/* Keep the additions of a request of a subtransaction, since their records may be lost with it. */
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
 * DncAfterSending: record the acknowledged writes to a server.  Raises the errors of inserting
 * into a table.
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
	dnc_queue_let_claim(requests[0].writes[0]->target->options);
}
