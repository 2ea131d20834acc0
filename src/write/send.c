/*-------------------------------------------------------------------------
 *
 * send.c
 *		The writes of one queue as requests, several of them under way at once.
 *
 * Requests begin in the order of the queue, runs of the same kind in batches.  Of
 * calls that take one entry each, up to max_concurrency are under way at a time.  A
 * write on an entry of the list waits until the one before it on the same entry has
 * been answered; otherwise it does not matter which of two requests is faster.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "list/contains.h"
#include "request/call.h"
#include "request/remote_error.h"
#include "write/send.h"

/* One request, and the writes that are in it. */
typedef struct Batch
{
	MemoryContext context;		/* holds the request and its answer */
	DncEntry  **entries;
	int			count;
	DncCounters	counters;
	DncCall    *call;
} Batch;

struct DncSend
{
	MemoryContext context;
	DncPending   *queue;
	int			next;			/* the first write that is in no request yet */
	int			nbatches;		/* under way */
	int			max_batches;
	Batch	  **batches;
	Batch	   *waited_for;		/* that an error comes from, if one comes; NULL: none */
	int64		changed;
};

/* The first write from index on that is to be sent; queue->count: none. */
static int
skip_overtaken(const DncPending *queue, int index)
{
	while (index < queue->count && queue->entries[index]->state == DNC_ENTRY_OVERTAKEN)
		index++;
	return index;
}

/* How many writes one request of a kind takes. */
static int
batch_size(const DncEntry *entry)
{
	const DncOptions *options = entry->target->options;

	return entry->action == DNC_ACTION_ADD ? options->batch_size : options->provider->remove.batch;
}

/*
 * Collect the writes that go into one request, from *index on, which is set to the
 * first behind them.  entries may be NULL; gives back how many they are.
 */
static int
collect_batch(const DncPending *queue, int *index, DncEntry **entries)
{
	const DncEntry *first = queue->entries[*index];
	int			max = batch_size(first);
	int			count = 0;

	while (count < max && *index < queue->count &&
		   queue->entries[*index]->target == first->target &&
		   queue->entries[*index]->action == first->action)
	{
		if (entries)
			entries[count] = queue->entries[*index];
		count++;
		*index = skip_overtaken(queue, *index + 1);
	}
	return count;
}

/* How many requests the writes of a queue take. */
int64
dnc_send_requests(const DncPending *queue)
{
	int64		requests = 0;

	for (int i = skip_overtaken(queue, 0); i < queue->count; requests++)
		(void) collect_batch(queue, &i, NULL);
	return requests;
}

/*
 * Get ready to send what a queue holds.  palloc'd in the current context, which has to
 * last until dnc_send_settle(), if that is called.
 */
DncSend *
dnc_send_begin(DncPending *queue)
{
	DncSend *dispatch = palloc0(sizeof(DncSend));
	int			first = skip_overtaken(queue, 0);

	dispatch->context = CurrentMemoryContext;
	dispatch->queue = queue;
	dispatch->next = first;
	if (first < queue->count)
	{
		dispatch->max_batches = queue->entries[first]->target->options->max_concurrency;
		dispatch->batches = palloc(sizeof(Batch *) * dispatch->max_batches);
	}
	return dispatch;
}

/*
 * Is an entry on the remote list?  Asked where the API has refused to add it
 * with a status that may mean that, or something else.
 */
static bool
is_listed(const DncEntry *entry)
{
	DncCounters *counters = palloc0(sizeof(DncCounters));

	dnc_counters_begin(counters, entry->target->options->serverid,
					   dnc_max_requests_of_statement(entry->target->options));
	return dnc_contains(entry->target->options, dnc_entry_value(entry, DNC_COL_IDENTIFIER),
						counters);
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

/*
 * How many entries a good answer speaks of.  One that counts them has to agree
 * with what was sent; of removals some may not have been on the list.
 */
static int64
count_changed(const Batch *batch)
{
	const DncEntry *entry = batch->entries[0];
	const DncOptions *options = entry->target->options;
	const DncWriteCall *write = dnc_entry_call(entry);
	const DncJson *answer;
	int64		sum = 0;

	if (options->provider->success == NULL)
		return batch->count;	/* the status says it all */
	answer = dnc_answer_tree(dnc_call_answer(batch->call));
	if (write->counts[0] == NULL)
		return batch->count;
	for (size_t i = 0; i < lengthof(write->counts) && write->counts[i]; i++)
	{
		const DncJson *json = dnc_json_get(answer, write->counts[i]);
		int64		count = 0;

		if (json == NULL || !dnc_json_count(json, &count))
			dnc_remote_error_contract(options, "The answer's \"%s\" is missing or not a whole number.",
									  write->counts[i]);
		sum += count;
	}
	if (entry->action == DNC_ACTION_ADD ? sum != batch->count : sum > batch->count)
		dnc_remote_error_contract(options, "%d entries were sent, and the answer speaks of %lld.",
								  batch->count, (long long) sum);
	return sum;
}

/* Begin the request with the writes from dispatch->next on. */
static void
begin_batch(DncSend *dispatch)
{
	MemoryContext context = AllocSetContextCreate(dispatch->context, "dnc_fdw batch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	Batch	   *batch = palloc0(sizeof(Batch));
	DncEntry   *first = dispatch->queue->entries[dispatch->next];
	const char *(*values)[DNC_MAX_MEMBERS];
	DncMemberValues *entries;
	DncRequest	request;

	batch->context = context;
	batch->entries = palloc(sizeof(DncEntry *) * batch_size(first));
	batch->count = collect_batch(dispatch->queue, &dispatch->next, batch->entries);
	values = palloc(sizeof(*values) * batch->count);
	entries = palloc(sizeof(DncMemberValues) * batch->count);
	for (int i = 0; i < batch->count; i++)
	{
		dnc_entry_unpack(batch->entries[i], values[i]);
		entries[i] = values[i];
	}
	dnc_request_write(first->target->options, dnc_entry_call(first), entries, batch->count,
					  &request);
	dispatch->batches[dispatch->nbatches++] = batch;
	dnc_counters_begin(&batch->counters, first->target->options->serverid,
					   dnc_max_requests_of_statement(first->target->options));
	batch->call = dnc_call_start(first->target->options, &request, &batch->counters);
	MemoryContextSwitchTo(before);
}

/* The remote has taken a batch, and so many of its entries have changed the list. */
static void
end_batch(DncSend *dispatch, int index, int64 changed)
{
	Batch	   *batch = dispatch->batches[index];

	dispatch->changed += changed;
	dnc_counters_add(&batch->counters, batch->entries[0]->action == DNC_ACTION_ADD
					 ? DNC_COUNT_ADDED : DNC_COUNT_DELETED, changed);
	for (int i = 0; i < batch->count; i++)
		batch->entries[i]->state = DNC_ENTRY_TAKEN;
	dispatch->batches[index] = dispatch->batches[--dispatch->nbatches];
	MemoryContextDelete(batch->context);
}

/* Wait for the answer to a batch, and see to what it says. */
static void
finish_batch(DncSend *dispatch, int index)
{
	Batch	   *batch = dispatch->batches[index];
	const DncEntry *entry = batch->entries[0];
	MemoryContext before = MemoryContextSwitchTo(batch->context);
	int64		changed = 0;

	dispatch->waited_for = batch;
	dnc_call_wait(batch->call);
	if (dnc_call_status(batch->call) == dnc_entry_call(entry)->unchanged_status)
	{
		if (entry->action == DNC_ACTION_ADD)
			handle_refusal(entry, batch->call);
	}
	else
		changed = count_changed(batch);
	dispatch->waited_for = NULL;
	MemoryContextSwitchTo(before);
	end_batch(dispatch, index, changed);
}

/* Has the remote answered the last write on the same entry of the list that it was sent? */
static bool
is_its_turn(const DncEntry *entry)
{
	const DncEntry *before = entry->previous;

	while (before && before->state == DNC_ENTRY_OVERTAKEN)
		before = before->previous;
	return before == NULL || before->state == DNC_ENTRY_TAKEN;
}

/*
 * Can the next request be sent beside those under way?  All of them have to be of
 * calls that take one entry each, and none on the same one.
 */
static bool
fits_in(const DncSend *dispatch)
{
	const DncEntry *entry = dispatch->queue->entries[dispatch->next];

	if (dispatch->nbatches == 0)
		return true;
	return dispatch->nbatches < dispatch->max_batches &&
		dnc_entry_call(dispatch->batches[0]->entries[0])->batch == 1 &&
		dnc_entry_call(entry)->batch == 1 &&
		is_its_turn(entry);
}

/* Wait until one of the requests under way is answered, and finish it. */
static void
finish_any(DncSend *dispatch)
{
	DncCall   **calls = palloc(sizeof(DncCall *) * dispatch->nbatches);
	int			ready = 0;

	for (int i = 0; i < dispatch->nbatches; i++)
		calls[i] = dispatch->batches[i]->call;
	dnc_call_wait_any(calls, dispatch->nbatches);
	while (!dnc_call_poll(calls[ready]))
		ready++;
	pfree(calls);
	finish_batch(dispatch, ready);
}

/*
 * Send all; gives back how many entries were added to the list or removed from it,
 * as far as the API tells.  Raises what dnc_call_wait() raises, 23505, and 08P01.
 */
int64
dnc_send_run(DncSend *dispatch)
{
	while (dispatch->next < dispatch->queue->count || dispatch->nbatches > 0)
	{
		while (dispatch->next < dispatch->queue->count && fits_in(dispatch))
			begin_batch(dispatch);
		finish_any(dispatch);
	}
	return dispatch->changed;
}

/* Was a request answered, with success?  Errors count as no. */
static bool
was_taken(Batch *batch)
{
	volatile bool taken = false;
	MemoryContext before = CurrentMemoryContext;

	PG_TRY();
	{
		taken = dnc_call_settle(batch->call) &&
			(batch->entries[0]->action == DNC_ACTION_REMOVE ||
			 dnc_call_status(batch->call) != dnc_entry_call(batch->entries[0])->unchanged_status);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(before);
		FlushErrorState();
	}
	PG_END_TRY();
	return taken;
}

/*
 * After an error: see what became of the requests that were under way beside
 * the one that it came from, waiting for their answers if told to, and what is
 * not known.
 */
void
dnc_send_settle(DncSend *dispatch, bool wait, DncUnclear *unclear)
{
	unclear->requests = unclear->entries = 0;
	for (int i = 0; i < dispatch->nbatches; i++)
	{
		if (dispatch->batches[i]->call)
			dnc_call_stop(dispatch->batches[i]->call);
	}
	for (int i = dispatch->nbatches - 1; i >= 0; i--)
	{
		Batch	   *batch = dispatch->batches[i];

		if (batch->call == NULL)
			continue;
		if (wait && batch != dispatch->waited_for && was_taken(batch))
			end_batch(dispatch, i,
					  dnc_call_status(batch->call) == dnc_entry_call(batch->entries[0])->unchanged_status
					  ? 0 : batch->count);
		else if (dnc_call_unclear(batch->call))
		{
			unclear->requests++;
			unclear->entries += batch->count;
		}
	}
}
