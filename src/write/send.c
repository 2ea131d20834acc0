/*-------------------------------------------------------------------------
 *
 * send.c
 *		Writes as requests, several of them under way at once.
 *
 * Requests begin in the order of the writes; runs of the same kind go in batches.  Where a call
 * takes one entry, up to max_concurrency requests are under way at a time.  Two writes on the
 * same entry are never under way together.  For all other writes it does not matter which request
 * is faster.
 *
 * We tell the outcome of each request.  The caller makes an error of it, or a record.  Whatever
 * the remote does is an outcome: only interrupts, lack of memory and bugs throw errors here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "request/call.h"
#include "write/send.h"

/* A request, and the writes in it. */
typedef struct Request
{
	MemoryContext context;		/* holds the request, its answer and the outcome */
	DncWrite  **writes;
	int			count;
	DncCounters counters;
	DncCall    *call;			/* NULL: the request could not be begun */
	DncProblem	problem;		/* call is NULL: why, as far as we know */
	int			repeats;		/* how often the request was begun again, after a look */
	TimestampTz begun;
} Request;

struct DncSend
{
	MemoryContext context;
	DncWrite  **writes;
	int			count;
	DncBudget  *budget;
	DncProgress *progress;
	int			next;			/* the first write that no request has yet */
	bool		stopped;
	Request   **requests;		/* under way */
	int			nrequests;
	int			max_requests;
	Request    *told;			/* whose outcome we told last; NULL: none */
};

/* How many of the writes from index on go into one request. */
static int
batch_size(DncWrite **writes, int count, int index)
{
	const DncWrite *first = writes[index];
	const DncOptions *options = first->target->options;
	int			max = first->action == DNC_ACTION_ADD ? options->batch_size
		: options->provider->remove.batch;
	int			size = 1;

	while (size < max && index + size < count &&
		   writes[index + size]->target == first->target &&
		   writes[index + size]->action == first->action)
		size++;
	return size;
}

/* How many requests the writes take. */
int64
dnc_send_requests(DncWrite **writes, int count)
{
	int64		requests = 0;

	for (int i = 0; i < count; requests++)
		i += batch_size(writes, count, i);
	return requests;
}

/*
 * Get ready to send writes, all of them to one server.  We send nothing yet.  palloc'd in the
 * current context, which has to last as long as the sending.  The array, its writes and the
 * budget for the requests have to outlive the sending.  progress, which may be NULL, shows the
 * requests.
 */
DncSend *
dnc_send_begin(DncWrite **writes, int count, DncBudget *budget, DncProgress *progress)
{
	DncSend    *send = palloc0(sizeof(DncSend));

	send->context = CurrentMemoryContext;
	send->writes = writes;
	send->count = count;
	send->budget = budget;
	send->progress = progress;
	if (count > 0)
	{
		send->max_requests = writes[0]->target->options->max_concurrency;
		send->requests = palloc(sizeof(Request *) * send->max_requests);
	}
	return send;
}

/* Start the call of a request; false: no request can carry its writes. */
static bool
start_call(Request *request, DncBudget *budget)
{
	const DncWrite *first = request->writes[0];
	const DncOptions *options = first->target->options;
	const char *(*values)[DNC_MAX_MEMBERS] = palloc(sizeof(*values) * request->count);
	DncMemberValues *entries = palloc(sizeof(DncMemberValues) * request->count);
	DncRequest	content;

	for (int i = 0; i < request->count; i++)
	{
		dnc_write_unpack(request->writes[i], values[i]);
		entries[i] = values[i];
	}
	if (!dnc_request_write(options, dnc_write_call(first), entries, request->count, &content,
						   &request->problem))
		return false;
	dnc_counters_begin(&request->counters, options, budget);
	request->call = dnc_call_start(options, &content, &request->counters);
	return true;
}

/* Begin the request with the writes from send->next on; false: no request can carry them. */
static bool
begin_request(DncSend *send)
{
	MemoryContext context = AllocSetContextCreate(send->context, "dnc_fdw write request",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	Request    *request = palloc0(sizeof(Request));
	bool		started;

	request->context = context;
	request->writes = &send->writes[send->next];
	request->count = batch_size(send->writes, send->count, send->next);
	send->next += request->count;
	/* We count the request from here on: an error may come when it is on its way already. */
	send->requests[send->nrequests++] = request;
	request->counters.progress = send->progress;
	request->begun = GetCurrentTimestamp();
	started = start_call(request, send->budget);
	MemoryContextSwitchTo(before);
	return started;
}

/* Are two writes on the same entry of the list? */
static bool
is_same_entry(const DncWrite *one, const DncWrite *other)
{
	DncIdentity identity;
	DncIdentity other_identity;

	return dnc_write_identity(one, &identity) && dnc_write_identity(other, &other_identity) &&
		dnc_write_identity_compare(&identity, &other_identity, sizeof(DncIdentity)) == 0;
}

/*
 * Can we send the next request beside those under way?  Each of them has to be of a call that
 * takes one entry, and none may be on the same entry as the next request.
 */
static bool
fits_in(const DncSend *send)
{
	const DncWrite *next = send->writes[send->next];

	if (send->nrequests == 0)
		return true;
	if (send->nrequests >= send->max_requests || dnc_write_call(next)->batch != 1)
		return false;
	for (int i = 0; i < send->nrequests; i++)
	{
		const DncWrite *under_way = send->requests[i]->writes[0];

		if (dnc_write_call(under_way)->batch != 1 || is_same_entry(under_way, next))
			return false;
	}
	return true;
}

/*
 * Tell the outcome of a request that is over.  True: the request was begun again, since it is
 * certain by now that the remote has not acted.
 */
static bool
judge(const DncSend *send, Request *request, DncSent *sent)
{
	DncRequestEnd end = {.writes = request->writes,.count = request->count,
		.call = request->call,.problem = request->problem,.budget = send->budget,
	.begun = request->begun,.stopped = send->stopped};
	const DncOptions *options = request->writes[0]->target->options;

	if (!dnc_outcome_judge(&end, sent) || request->repeats >= options->max_retries)
		return false;
	request->repeats++;
	return start_call(request, send->budget);
}

/* ----- the sending ----- */

/* Wait until a request under way is over; gives back its index. */
static int
wait_for_any(const DncSend *send)
{
	DncCall   **calls = palloc(sizeof(DncCall *) * send->nrequests);
	int			over = 0;

	for (int i = 0; i < send->nrequests; i++)
	{
		calls[i] = send->requests[i]->call;
		if (calls[i] == NULL)
		{
			pfree(calls);
			return i;
		}
	}
	dnc_call_wait_any(calls, send->nrequests);
	while (!dnc_call_poll(calls[over]))
		over++;
	pfree(calls);
	return over;
}

/* Give back the writes that are in no request; false: there are none. */
static bool
hand_back_rest(DncSend *send, DncSent *sent)
{
	if (send->next == send->count)
		return false;
	sent->writes = &send->writes[send->next];
	sent->count = send->count - send->next;
	sent->outcome = DNC_OUTCOME_NOT_SENT;
	send->next = send->count;
	return true;
}

/* Free the request whose outcome was told last. */
static void
drop_told(DncSend *send)
{
	if (send->told)
		MemoryContextDelete(send->told->context);
	send->told = NULL;
}

/*
 * Go on with the sending until a request is over, and tell its outcome in *sent.  Each write
 * comes back once.  After dnc_send_stop() we begin no further request; the writes that are left
 * come last, as not sent.  *sent points to memory that lives until the next call.  False: all
 * writes have come back.
 *
 * Serves interrupts.  After an error from here dnc_send_count_unclear() counts the writes whose
 * outcome is unclear.  The caller may stop the sending by dnc_send_stop(), and call this again to
 * know more.
 */
bool
dnc_send_next(DncSend *send, DncSent *sent)
{
	MemoryContext before;
	Request    *request;
	DncTryFacts facts;
	int			index;

	memset(sent, 0, sizeof(DncSent));
	drop_told(send);
	while (!send->stopped && send->next < send->count && fits_in(send) && begin_request(send))
		continue;
	if (send->nrequests == 0)
		return hand_back_rest(send, sent);

	index = wait_for_any(send);
	request = send->requests[index];
	before = MemoryContextSwitchTo(request->context);
	while (judge(send, request, sent))
		dnc_call_wait_any(&request->call, 1);
	sent->answered = GetCurrentTimestamp();
	if (request->call && dnc_call_last_try(request->call, &facts))
	{
		sent->status = facts.status;
		sent->requested = TimestampTzPlusMilliseconds(sent->answered,
													  -(int64) ceil(facts.age_ms) - 1);
	}
	sent->retry_after_ms = sent->status ? facts.rate.retry_after_ms : -1;
	MemoryContextSwitchTo(before);
	if (sent->outcome == DNC_OUTCOME_TAKEN)
		dnc_counters_add(&request->counters, request->writes[0]->action == DNC_ACTION_ADD
						 ? DNC_COUNT_ADDED : DNC_COUNT_DELETED, sent->changed);
	send->requests[index] = send->requests[--send->nrequests];
	send->told = request;
	return true;
}

/* Begin no further request, nor a further try of those under way. */
void
dnc_send_stop(DncSend *send)
{
	send->stopped = true;
	for (int i = 0; i < send->nrequests; i++)
	{
		if (send->requests[i]->call)
			dnc_call_stop(send->requests[i]->call);
	}
}

/* Add to *unclear the requests under way that the remote may have acted on. */
void
dnc_send_count_unclear(const DncSend *send, DncUnclear *unclear)
{
	for (int i = 0; i < send->nrequests; i++)
	{
		const Request *request = send->requests[i];

		if (request->call ? dnc_call_unclear(request->call) : request->problem.message == NULL)
		{
			unclear->requests++;
			unclear->writes += request->count;
		}
	}
}
