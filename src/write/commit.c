/*-------------------------------------------------------------------------
 *
 * commit.c
 *		Writes on their way to the servers: at COMMIT, or at once.
 *
 * What waits is sent server by server, after a look at the limits.  If that fails,
 * the local transaction aborts, and the error says what the remote had already
 * taken: that cannot be undone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/timeout.h"

#include "request/max_requests.h"
#include "write/commit.h"
#include "write/send.h"

/* How far the sending has got. */
typedef struct Progress
{
	MemoryContext context;		/* holds what is needed until the end */
	DncPending   *queues;
	bool		at_once;		/* before COMMIT */
	DncSend *dispatch;		/* of the queue at hand; NULL: none */
	int64		changed;
} Progress;

/* How many writes of a queue are to be sent, or have been, by action. */
static void
count_entries(const DncPending *queue, bool taken_only, int64 *counts)
{
	memset(counts, 0, sizeof(int64) * DNC_NACTIONS);
	for (int i = 0; i < queue->count; i++)
	{
		const DncEntry *entry = queue->entries[i];

		if (entry->state == DNC_ENTRY_TAKEN ||
			(!taken_only && entry->state == DNC_ENTRY_WAITING))
			counts[entry->action]++;
	}
}

/*
 * Refuse more removals from a server than max_deletes allows in a transaction,
 * of which some may have been sent before this.
 */
static void
allow_removals(const DncOptions *options, int64 more, int64 taken)
{
	if (more + taken <= options->max_deletes)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("too many deletions from server \"%s\" in one transaction",
					options->server_name),
			 taken > 0
			 ? errdetail("There are %lld, %lld of them sent by earlier statements, and max_deletes is %d. None of the others was sent.",
						 (long long) (more + taken), (long long) taken, options->max_deletes)
			 : errdetail("There are %lld, and max_deletes is %d. None of them was sent.",
						 (long long) more, options->max_deletes),
			 errhint("If all of these are to be contacted again, raise max_deletes with ALTER SERVER or ALTER FOREIGN TABLE.")));
}

/*
 * See to max_deletes for a queue.  Of the tables that are deleted from, the
 * strictest limit counts.
 */
static void
check_max_deletes(const DncPending *queue)
{
	const DncOptions *options = NULL;
	int64		counts[DNC_NACTIONS];

	count_entries(queue, false, counts);
	for (int i = 0; i < queue->count; i++)
	{
		const DncEntry *entry = queue->entries[i];
		const DncOptions *own = entry->target->options;

		if (entry->action == DNC_ACTION_REMOVE && entry->state == DNC_ENTRY_WAITING &&
			own->max_deletes > 0 &&
			(options == NULL || own->max_deletes < options->max_deletes))
			options = own;
	}
	if (options)
		allow_removals(options, counts[DNC_ACTION_REMOVE],
					   queue->entries[0]->target->queue->taken[DNC_ACTION_REMOVE]);
}

/* Refuse a queue that takes more requests than max_requests allows. */
static void
check_max_requests(const DncPending *queue)
{
	int64		requests = dnc_send_requests(queue);

	if (requests > 0)
	{
		const DncOptions *options = queue->entries[0]->target->options;

		dnc_max_requests_require(dnc_max_requests_of_statement(options), options, requests);
	}
}

/* Remember what a queue that is sent at once comes to, however it ended. */
static void
remember_taken(const DncPending *queue)
{
	int64		counts[DNC_NACTIONS];

	count_entries(queue, true, counts);
	for (int action = 0; action < DNC_NACTIONS; action++)
		queue->entries[0]->target->queue->taken[action] += counts[action];
}

/* Send all that waits, server by server. */
static void
send_queues(Progress *progress)
{
	for (DncPending *queue = progress->queues; queue; queue = queue->next)
	{
		MemoryContext context = AllocSetContextCreate(progress->context, "dnc_fdw dispatch",
													  ALLOCSET_SMALL_SIZES);
		MemoryContext before = MemoryContextSwitchTo(context);

		progress->dispatch = dnc_send_begin(queue);
		progress->changed += dnc_send_run(progress->dispatch);
		progress->dispatch = NULL;
		MemoryContextSwitchTo(before);
		MemoryContextDelete(context);
	}
}

/* Append what became of a queue. */
static void
append_progress(StringInfo text, const DncPending *queue, bool at_once)
{
	const char *const names[] = {[DNC_ACTION_ADD] = "additions",[DNC_ACTION_REMOVE] = "deletions"};
	const DncPending *transaction = queue->entries[0]->target->queue;
	int64		taken[DNC_NACTIONS];
	int64		all[DNC_NACTIONS];
	const char *separator = " had taken ";

	count_entries(queue, true, taken);
	count_entries(queue, false, all);
	appendStringInfo(text, "%sServer \"%s\"", text->len > 0 ? " " : "",
					 queue->entries[0]->target->options->server_name);
	for (int action = 0; action < DNC_NACTIONS; action++)
	{
		if (at_once && all[action] + transaction->taken[action] > 0)
			appendStringInfo(text, "%s%lld %s", separator,
							 (long long) transaction->taken[action], names[action]);
		else if (!at_once && all[action] > 0)
			appendStringInfo(text, "%s%lld of %lld %s", separator, (long long) taken[action],
							 (long long) all[action], names[action]);
		else
			continue;
		separator = " and ";
	}
	appendStringInfoString(text, at_once ? " of this transaction by then." : ".");
}

/* The error's DETAIL and what had been taken before it; palloc'd. */
static char *
explain_progress(const Progress *progress, const char *detail, const DncUnclear *unclear)
{
	StringInfoData text;

	initStringInfo(&text);
	if (detail)
		appendStringInfoString(&text, detail);
	for (const DncPending *queue = progress->queues; queue; queue = queue->next)
	{
		if (queue->count > 0)
			append_progress(&text, queue, progress->at_once);
	}
	if (unclear->requests == 1)
		appendStringInfo(&text, " Whether the last request, with %d of them, was taken is not known.",
						 unclear->entries);
	else if (unclear->requests > 1)
		appendStringInfo(&text, " Whether the last %d requests, with %d of them, were taken is not known.",
						 unclear->requests, unclear->entries);
	return text.data;
}

/* Is there a server among them that refuses to add what is listed? */
static bool
refuses_listed(const Progress *progress)
{
	for (const DncPending *queue = progress->queues; queue; queue = queue->next)
	{
		if (queue->count > 0 &&
			queue->entries[0]->target->options->provider->add.unchanged_status != 0)
			return true;
	}
	return false;
}

/*
 * The sending has failed: add to the error what had been taken by then.  What is
 * still under way is waited for, to know it, unless somebody is in a hurry.
 */
static void
raise_with_progress(Progress *progress, ErrorData *error)
{
	DncUnclear	unclear = {0};

	if (progress->dispatch)
		dnc_send_settle(progress->dispatch, error->sqlerrcode != ERRCODE_QUERY_CANCELED,
						&unclear);
	if (progress->at_once)
		remember_taken(progress->queues);
	error->detail = explain_progress(progress, error->detail, &unclear);
	error->hint = psprintf("%s%sThe local transaction is rolled back; what the remote has taken is not. %s",
						   error->hint ? error->hint : "", error->hint ? " " : "",
						   refuses_listed(progress)
						   ? "Adding an entry again with INSERT ... ON CONFLICT DO NOTHING is harmless."
						   : "Adding an entry again is harmless.");
	ReThrowError(error);
}

/* Send, and make an error, whatever its reason, tell how far that got. */
static void
send_or_explain(Progress *progress)
{
	MemoryContext before = MemoryContextSwitchTo(progress->context);
	ErrorData  *volatile error = NULL;

	for (DncPending *queue = progress->queues; queue; queue = queue->next)
	{
		dnc_pending_mark_overtaken(queue);
		check_max_deletes(queue);
		check_max_requests(queue);
	}
	PG_TRY();
	{
		send_queues(progress);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(progress->context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (error)
		raise_with_progress(progress, error);
	MemoryContextSwitchTo(before);
}

/*
 * Send the waiting writes, when all else of the transaction is done; what is
 * needed for it goes into context, which must last until the transaction ends.
 * Raises 54000 before anything is sent where max_deletes or max_requests is
 * exceeded, and what dnc_send_run() raises.
 *
 * PostgreSQL has disarmed statement_timeout by now, so it is armed for this;
 * after an error PostgreSQL disarms all timeouts by itself.
 */
void
dnc_commit_send_all(DncPending *queues, MemoryContext context)
{
	Progress   *progress = MemoryContextAllocZero(context, sizeof(Progress));
	bool		armed;

	progress->context = context;
	progress->queues = queues;
	armed = StatementTimeout > 0 && !get_timeout_active(STATEMENT_TIMEOUT);
	if (armed)
		enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
	send_or_explain(progress);
	if (armed)
		disable_timeout(STATEMENT_TIMEOUT, false);
}

/*
 * Send a queue of one statement at once, and empty it; gives back how many entries
 * were added to the list or removed from it, as far as the API tells.  Raises what
 * dnc_commit_send_all() does.
 */
int64
dnc_commit_send_now(DncPending *queue)
{
	Progress   *progress = MemoryContextAllocZero(queue->context, sizeof(Progress));
	int64		changed;

	if (queue->count == 0)
		return 0;
	progress->context = AllocSetContextCreate(queue->context, "dnc_fdw delivery",
											  ALLOCSET_SMALL_SIZES);
	progress->queues = queue;
	progress->at_once = true;
	send_or_explain(progress);
	remember_taken(queue);
	dnc_pending_clear(queue);
	changed = progress->changed;
	MemoryContextDelete(progress->context);
	pfree(progress);
	return changed;
}
