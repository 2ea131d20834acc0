/*-------------------------------------------------------------------------
 *
 * delivery.c
 *		Waiting writes on their way to the servers, at COMMIT.
 *
 * The writes to a server go out in the order in which they were made, runs of
 * the same kind in batches.  If that fails, the local transaction aborts, and
 * the error says what the remote had already taken: that cannot be undone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/timeout.h"

#include "call.h"
#include "chain.h"
#include "delivery.h"
#include "pager.h"
#include "report.h"

/* How far the sending has got. */
typedef struct Progress
{
	MemoryContext context;		/* holds what is needed until the end */
	const DncQueue *queues;
	const DncQueue *queue;		/* at hand; NULL: none yet, or all are done */
	int64		sent;			/* entries of that queue that were taken */
	int			sending;		/* entries of the request that is under way */
	DncCall    *call;			/* that request; NULL: none */
} Progress;

/* What the first so many entries of a queue are, by action. */
static void
count_entries(const DncQueue *queue, int64 entries, int64 *counts)
{
	memset(counts, 0, sizeof(int64) * DNC_NACTIONS);
	for (int64 i = 0; i < entries; i++)
		counts[queue->entries[i]->action]++;
}

/*
 * Refuse more removals from a server than max_deletes allows in a transaction.
 * Of the tables that were deleted from, the strictest limit counts.
 */
static void
check_max_deletes(const DncQueue *queue)
{
	const DncOptions *options = NULL;
	int64		counts[DNC_NACTIONS];

	count_entries(queue, queue->count, counts);
	for (int64 i = 0; i < queue->count; i++)
	{
		const DncOptions *own = queue->entries[i]->target->options;

		if (queue->entries[i]->action == DNC_ACTION_REMOVE && own->max_deletes > 0 &&
			(options == NULL || own->max_deletes < options->max_deletes))
			options = own;
	}
	if (options && counts[DNC_ACTION_REMOVE] > options->max_deletes)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many deletions from server \"%s\" in one transaction",
						options->server_name),
				 errdetail("There are %lld, and max_deletes is %d. Nothing was sent.",
						   (long long) counts[DNC_ACTION_REMOVE], options->max_deletes),
				 errhint("If all of these are to be contacted again, raise max_deletes with ALTER SERVER or ALTER FOREIGN TABLE.")));
}

/* How many entries, from the first-th on, go into one request. */
static int
batch_length(const DncQueue *queue, int64 first)
{
	const DncEntry *entry = queue->entries[first];
	const DncOptions *options = entry->target->options;
	int			max = entry->action == DNC_ACTION_ADD ? options->batch_size
		: options->provider->remove.batch;
	int			length = 1;

	while (length < max && first + length < queue->count &&
		   queue->entries[first + length]->target == entry->target &&
		   queue->entries[first + length]->action == entry->action)
		length++;
	return length;
}

/*
 * Is an entry on the remote list?  Asked where the API has refused to add it
 * with a status that may mean that, or something else.
 */
static bool
is_listed(const DncEntry *entry)
{
	const DncOptions *options = entry->target->options;
	const char *identifier = dnc_outbox_value(entry, DNC_COL_IDENTIFIER);
	DncCondition condition = {.column = DNC_COL_IDENTIFIER,
	.values = list_make1(unconstify(char *, identifier))};
	const char *member = dnc_provider_field(options->provider, DNC_COL_IDENTIFIER)->name;
	DncTally   *tally = palloc0(sizeof(DncTally));
	DncChain   *chain = linitial(dnc_chain_list(options, &condition, 1));
	DncPager   *pager = dnc_pager_begin(options, chain->filters, tally);
	DncPage		page;

	while (dnc_pager_next(pager, &page))
	{
		for (const DncJson *listed = page.first; listed; listed = dnc_json_next(listed))
		{
			const DncJson *value = dnc_json_get(listed, member);

			if (value && dnc_json_kind(value) == DNC_JSON_STRING &&
				strcmp(pg_any_to_server(dnc_json_string(value), strlen(dnc_json_string(value)),
										PG_UTF8), identifier) == 0)
				return true;
		}
	}
	return false;
}

/* The API has refused to add an entry: find out whether that is an error. */
static void
handle_refusal(const DncEntry *entry, DncCall *call)
{
	if (!is_listed(entry))
		dnc_call_fail(call);
	if (!entry->skip_listed)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("an entry is already on the list of server \"%s\"",
						entry->target->options->server_name),
				 errdetail("The API refuses to add what is listed."),
				 errhint("INSERT ... ON CONFLICT DO NOTHING leaves out what is listed.")));
}

/* Check what an answer counts against what was sent. */
static void
check_counts(const DncEntry *entry, const DncJson *answer, int sent)
{
	const DncOptions *options = entry->target->options;
	const DncWriteCall *write = dnc_outbox_write_call(entry);
	int64		sum = 0;

	for (size_t i = 0; i < lengthof(write->counts) && write->counts[i]; i++)
	{
		const DncJson *json = dnc_json_get(answer, write->counts[i]);
		int64		count = 0;

		if (json == NULL || !dnc_json_count(json, &count))
			dnc_report_contract(options, "The answer's \"%s\" is missing or not a whole number.",
								write->counts[i]);
		sum += count;
	}
	if (write->counts[0] && (entry->action == DNC_ACTION_ADD ? sum != sent : sum > sent))
		dnc_report_contract(options, "%d entries were sent, and the answer speaks of %lld.", sent,
							(long long) sum);
}

/* Wait for the answer to a batch, and see to what it says. */
static void
finish_batch(const DncEntry *entry, DncCall *call, int sent)
{
	const DncWriteCall *write = dnc_outbox_write_call(entry);

	dnc_call_wait(call);
	if (dnc_call_status(call) == write->unchanged_status)
	{
		if (entry->action == DNC_ACTION_ADD)
			handle_refusal(entry, call);
	}
	else if (entry->target->options->provider->success)
		check_counts(entry, dnc_call_json(call), sent);
}

/* Send the next batch of the queue at hand. */
static void
send_batch(Progress *progress)
{
	DncEntry  **batch = &progress->queue->entries[progress->sent];
	const DncOptions *options = batch[0]->target->options;
	int			count = batch_length(progress->queue, progress->sent);
	MemoryContext context = AllocSetContextCreate(progress->context, "dnc_fdw batch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	const char *(*values)[DNC_MAX_MEMBERS] = palloc(sizeof(*values) * count);
	DncMemberValues *entries = palloc(sizeof(DncMemberValues) * count);
	DncTally	tally = {0};
	DncRequest	request;

	for (int i = 0; i < count; i++)
	{
		dnc_outbox_unpack(batch[i], values[i]);
		entries[i] = values[i];
	}
	dnc_request_write(options, dnc_outbox_write_call(batch[0]), entries, count, &request);
	progress->call = dnc_call_start(options, &request, &tally);
	progress->sending = count;
	finish_batch(batch[0], progress->call, count);
	progress->call = NULL;
	progress->sent += count;
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
}

/* Send all that waits, server by server. */
static void
send_queues(Progress *progress)
{
	for (progress->queue = progress->queues; progress->queue;
		 progress->queue = progress->queue->next)
	{
		progress->sent = 0;
		while (progress->sent < progress->queue->count)
			send_batch(progress);
	}
}

/* Append what became of a queue of which so many entries were taken. */
static void
append_progress(StringInfo text, const DncQueue *queue, int64 sent)
{
	const char *const names[] = {[DNC_ACTION_ADD] = "additions",[DNC_ACTION_REMOVE] = "deletions"};
	int64		taken[DNC_NACTIONS];
	int64		all[DNC_NACTIONS];
	const char *separator = " had taken ";

	count_entries(queue, sent, taken);
	count_entries(queue, queue->count, all);
	appendStringInfo(text, "%sServer \"%s\"", text->len > 0 ? " " : "",
					 queue->entries[0]->target->options->server_name);
	for (int action = 0; action < DNC_NACTIONS; action++)
	{
		if (all[action] == 0)
			continue;
		appendStringInfo(text, "%s%lld of %lld %s", separator, (long long) taken[action],
						 (long long) all[action], names[action]);
		separator = " and ";
	}
	appendStringInfoChar(text, '.');
}

/* The error's DETAIL and what had been taken before it; palloc'd. */
static char *
explain_progress(const Progress *progress, const char *detail)
{
	bool		done = true;	/* queues in front of the one at hand */
	StringInfoData text;

	initStringInfo(&text);
	if (detail)
		appendStringInfoString(&text, detail);
	for (const DncQueue *queue = progress->queues; queue; queue = queue->next)
	{
		bool		at_hand = queue == progress->queue;

		done = done && !at_hand;
		if (queue->count > 0)
			append_progress(&text, queue, at_hand ? progress->sent : done ? queue->count : 0);
	}
	if (progress->call && dnc_call_unclear(progress->call))
		appendStringInfo(&text, " Whether the last request, with %d of them, was taken is not known.",
						 progress->sending);
	return text.data;
}

/*
 * Send all that waits.  If that fails, whatever the reason, add to the error
 * what had been taken by then.
 */
static void
send_or_explain(Progress *progress)
{
	MemoryContext before = MemoryContextSwitchTo(progress->context);

	PG_TRY();
	{
		send_queues(progress);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(progress->context);
		error = CopyErrorData();
		FlushErrorState();
		error->detail = explain_progress(progress, error->detail);
		error->hint = psprintf("%s%sThe local transaction is rolled back; what the remote has taken is not. Adding an entry again is harmless.",
							   error->hint ? error->hint : "", error->hint ? " " : "");
		ReThrowError(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(before);
}

/* Refuse a queue that takes more requests than max_requests allows. */
static void
check_max_requests(const DncQueue *queue)
{
	int64		requests = 0;

	for (int64 i = 0; i < queue->count; i += batch_length(queue, i))
		requests++;
	if (requests > 0)
		dnc_call_allow(queue->entries[0]->target->options, requests);
}

/*
 * Send the waiting writes, when all else of the transaction is done; what is
 * needed for it goes into context, which must last until the transaction ends.
 * Raises 54000 before anything is sent where max_deletes or max_requests is
 * exceeded, and what dnc_call_wait() raises.
 *
 * PostgreSQL has disarmed statement_timeout by now, so it is armed for this;
 * after an error PostgreSQL disarms all timeouts by itself.
 */
void
dnc_delivery_send(const DncQueue *queues, MemoryContext context)
{
	Progress   *progress = MemoryContextAllocZero(context, sizeof(Progress));
	bool		armed;

	progress->context = context;
	progress->queues = queues;
	for (const DncQueue *queue = queues; queue; queue = queue->next)
	{
		check_max_deletes(queue);
		check_max_requests(queue);
	}
	armed = StatementTimeout > 0 && !get_timeout_active(STATEMENT_TIMEOUT);
	if (armed)
		enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
	send_or_explain(progress);
	if (armed)
		disable_timeout(STATEMENT_TIMEOUT, false);
}
