/*-------------------------------------------------------------------------
 *
 * call.c
 *		One request to a server, tried until it is answered or given up.
 *
 * Here is decided what is tried again, how long is waited in between, and when
 * it becomes an error.
 *
 * A call is started, waited for and dropped by itself, so that several can be
 * under way.  It waits until it may be sent (rate_limit.c says when), is under way,
 * and waits again if it has to be tried again, until it has succeeded or
 * failed.  advance() does each step that can be done at once; whoever waits for
 * one call goes on with all of the session's, so that none holds up another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "lib/ilist.h"
#include "utils/memutils.h"

#include "compat.h"
#include "request/call.h"
#include "request/max_requests.h"
#include "request/rate_limit.h"
#include "request/retry.h"
#include "wire/http.h"

/* Shorter waits are not announced, whatever wait_notice is. */
#define SHORT_WAIT_MS 1000.0

typedef enum CallState
{
	CALL_WAITING,				/* for its turn to be sent */
	CALL_UNDER_WAY,
	CALL_DONE,
	CALL_FAILED					/* dnc_call_wait() raises the error */
} CallState;

/* Times are on dnc_rate_limit_clock(). */
struct DncCall
{
	dlist_node	link;			/* in calls */
	MemoryContextCallback cleanup;
	MemoryContext context;		/* holds the call, its answer and its tree */
	const DncOptions *options;
	DncRequest	request;
	DncHttpRequest http;
	DncCounters   *counters;
	CallState	state;
	int64		due;			/* waiting: when to be sent, or to ask again for that */
	bool		limited;		/* waiting because the server says so, or requests_per_minute */
	int64		announced;		/* the wait until then was told the user */
	DncRateTicket ticket;		/* the present try's */
	int64		ended;			/* the last try; 0: none has */
	DncRateHeaders		rate;			/* as the last answer said; limit 0: it did not */
	DncHttpExchange *exchange;	/* the present try's; NULL: waiting */
	const DncHttpAnswer *answer;	/* NULL: waiting or under way */
	DncAnswer		body;			/* of that; see dnc_call_answer() */
	bool		stopped;		/* no further try is sent */
	bool		unclear;		/* a try may have arrived without our knowing */
	double		asked_wait_ms;	/* failed because that is over max_wait; else 0 */
	int			tries;
	int64		first_sent;
};

int			dnc_wait_notice = 5000;

/* The session's, in the order in which they were started. */
static dlist_head calls = DLIST_STATIC_INIT(calls);

/* errcontext: the request, without its query, which may hold identifiers. */
static void
describe_call(void *arg)
{
	DncCall    *call = arg;

	errcontext("request %s %s to server \"%s\"", call->request.method, call->request.path,
			   call->options->server_name);
}

/*
 * Is there room for one more request to a server, that is not needed yet?  By
 * max_concurrency, and by what the statement may still send.
 */
bool
dnc_call_has_room(const DncOptions *options)
{
	int			under_way = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &calls)
	{
		const DncCall *call = dlist_container(DncCall, link, iter.cur);

		if (call->options->serverid == options->serverid &&
			(call->state == CALL_WAITING || call->state == CALL_UNDER_WAY))
			under_way++;
	}
	return under_way < options->max_concurrency && dnc_max_requests_allows(options, 1);
}

/* Runs when a call's context goes, whatever the reason. */
static void
release_call(void *arg)
{
	DncCall    *call = arg;

	dlist_delete(&call->link);
	if (call->state == CALL_UNDER_WAY)
		dnc_rate_limit_lost(&call->ticket, true);
}

/*
 * Tell the pace how a try has ended, one that may have arrived though no answer
 * did; gives the wait that is asked for, in ms, or -1.
 */
static double
settle_pace(DncCall *call, bool unclear)
{
	const DncHttpAnswer *answer = call->answer;
	DncRateHeaders    *rate = &call->rate;

	rate->limit = 0;
	if (answer->outcome != DNC_HTTP_ANSWERED)
	{
		dnc_rate_limit_lost(&call->ticket, unclear);
		return -1;
	}
	dnc_rate_headers_read(call->exchange, answer->status, rate);
	if (rate->limit > 0 || (answer->status >= 200 && answer->status < 300))
		dnc_rate_limit_answered(&call->ticket, rate);
	else
		dnc_rate_limit_lost(&call->ticket, true);
	if (rate->wait_ms >= 0 && (answer->status == 429 || answer->status == 503))
		dnc_rate_limit_pause(&call->ticket, rate->wait_ms);
	return rate->wait_ms;
}

/*
 * A try has ended: the call is done, has failed, or waits for the next one, as
 * long as the server asks, or for a time of our own.
 */
static void
finish_try(DncCall *call)
{
	DncVerdict	verdict;
	bool		unclear = false;
	double		asked;
	double		delay;

	call->answer = dnc_http_answer(call->exchange);
	call->ended = dnc_rate_limit_clock();
	dnc_counters_add(call->counters, DNC_COUNT_BYTES, (int64) call->answer->length);
	if (call->answer->status == 429)
		dnc_counters_add(call->counters, DNC_COUNT_RATE_LIMITED, 1);
	call->state = CALL_DONE;
	verdict = dnc_retry_judge(&call->request, call->answer, &unclear);
	call->unclear = call->unclear || unclear;
	asked = settle_pace(call, unclear);
	if (verdict == DNC_VERDICT_DONE)
		return;
	call->state = CALL_FAILED;
	if (verdict == DNC_VERDICT_FAILED || call->stopped)
		return;
	delay = asked >= 0 ? asked : dnc_retry_backoff(call->tries, call->options->max_wait);
	if (delay > call->options->max_wait)
		call->asked_wait_ms = delay;
	else if (call->tries <= call->options->max_retries)
	{
		dnc_http_drop(call->exchange);
		call->exchange = NULL;
		call->answer = NULL;
		call->state = CALL_WAITING;
		call->due = dnc_rate_limit_clock() + (int64) (delay * 1000);
		call->limited = asked >= 0;
	}
}

/* Send the request, once more or for the first time, unless it has to wait on. */
static void
try_to_send(DncCall *call)
{
	double		wait = dnc_rate_limit_admit(call->options, &call->ticket);

	call->limited = true;
	call->due = dnc_rate_limit_clock() + (int64) (wait * 1000);
	if (wait > 0)
		return;

	call->exchange = dnc_http_start(&call->http);
	call->state = CALL_UNDER_WAY;
	dnc_counters_add(call->counters, DNC_COUNT_REQUESTS, 1);
	if (call->tries++ == 0)
		call->first_sent = call->due;
	else
	{
		dnc_counters_add(call->counters, DNC_COUNT_RETRIES, 1);
		dnc_max_requests_spend(call->options);
	}
}

/* Go on with all calls of the session as far as can be without waiting. */
static void
advance_all(void)
{
	dlist_iter	iter;

	dnc_http_perform();
	dlist_foreach(iter, &calls)
	{
		DncCall    *call = dlist_container(DncCall, link, iter.cur);
		MemoryContext before = MemoryContextSwitchTo(call->context);

		if (call->state == CALL_UNDER_WAY && dnc_http_ended(call->exchange))
			finish_try(call);
		if (call->state == CALL_WAITING && dnc_rate_limit_clock() >= call->due)
			try_to_send(call);
		MemoryContextSwitchTo(before);
	}
}

/*
 * Start a request to a server, with the token in *options: it is sent now, or
 * when its turn comes while some call is waited for.  The call belongs to the
 * current memory context, and ends with it or by dnc_call_drop().  *options and
 * *counters must outlive it; the request's strings need not.
 */
DncCall *
dnc_call_start(const DncOptions *options, const DncRequest *request, DncCounters *counters)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw call",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	DncCall    *call = palloc0(sizeof(DncCall));

	call->context = context;
	call->options = options;
	call->request = *request;
	call->request.target = NULL;	/* not ours, and not needed any more */
	call->request.path = pstrdup(request->path);
	if (request->body)
	{
		char	   *body = MemoryContextAllocHuge(context, (Size) request->body_length + 1);

		memcpy(body, request->body, (size_t) request->body_length + 1);
		call->request.body = body;
	}
	call->counters = counters;
	dnc_counters_begin(counters, options->serverid);
	dnc_request_prepare(options, request, &call->http);
	call->http.body = call->request.body;	/* our own copy of it */
	MemoryContextSwitchTo(before);

	dnc_max_requests_spend(options);
	call->state = CALL_WAITING;
	call->cleanup.func = release_call;
	call->cleanup.arg = call;
	dlist_push_tail(&calls, &call->link);
	MemoryContextRegisterResetCallback(context, &call->cleanup);
	advance_all();
	return call;
}

/* Milliseconds until a call is sent, or asks again whether it may be; else 0. */
static double
wait_left(const DncCall *call)
{
	return call->state == CALL_WAITING ? Max(call->due - dnc_rate_limit_clock(), 0) / 1000.0 : 0;
}

/* Has a call succeeded or failed?  One fails here that would wait for too long. */
static bool
is_over(DncCall *call)
{
	double		wait = wait_left(call);

	if (wait > call->options->max_wait)
	{
		call->asked_wait_ms = wait;
		call->state = CALL_FAILED;
	}
	return call->state == CALL_DONE || call->state == CALL_FAILED;
}

/* What a call has failed by; palloc'd in the current context. */
static DncProblem
problem_of(const DncCall *call)
{
	DncTries	tries = {.count = call->tries, .asked_wait_ms = call->asked_wait_ms};

	tries.elapsed_ms = (dnc_rate_limit_clock() - call->first_sent) / 1000.0;
	return dnc_remote_error_problem(call->options, call->answer, &tries);
}

/* Raise the error for a call that has failed. */
static void
give_up(const DncCall *call)
{
	DncProblem	problem = problem_of(call);

	dnc_remote_error_raise(&problem);
}

/* Tell the user of a long wait for the rate limit, once. */
static void
announce_wait(DncCall *call)
{
	double		wait = wait_left(call);

	if (!call->limited || dnc_rate_limit_clock() < call->announced ||
		dnc_wait_notice < 0 || wait <= Max(dnc_wait_notice, SHORT_WAIT_MS))
		return;
	call->announced = call->due;
	ereport(NOTICE,
			(errmsg("waiting %.0f s for the rate limit of server \"%s\"", ceil(wait / 1000),
					call->options->server_name),
			 call->request.body ? 0
			 : errdetail("So far %lld entries were read in %lld requests.",
						 (long long) call->counters->counts[DNC_COUNT_ENTRIES],
						 (long long) call->counters->counts[DNC_COUNT_REQUESTS])));
}

/*
 * Wait for the network, for the next call of the session to be due, or for a
 * slice, whichever comes first.  The time goes to the tallies of those of the
 * calls that wait for their turn.
 */
static void
wait_a_while(DncCall **awaited, int count)
{
	static uint32 limited_event = 0;
	int64		begin = dnc_rate_limit_clock();
	int64		until = PG_INT64_MAX;
	bool		limited = true;
	DncCounters   *charged = NULL;
	dlist_iter	iter;

	if (limited_event == 0)
		limited_event = dnc_wait_event("DncFdwRateLimit");
	dlist_foreach(iter, &calls)
	{
		DncCall    *call = dlist_container(DncCall, link, iter.cur);

		if (call->state == CALL_WAITING)
			until = Min(until, call->due);
	}
	for (int i = 0; i < count; i++)
		limited = limited && awaited[i]->state == CALL_WAITING && awaited[i]->limited;
	dnc_http_poll((until - begin) / 1000.0, limited ? limited_event : PG_WAIT_EXTENSION);
	for (int i = 0; i < count; i++)
	{
		if (awaited[i]->state != CALL_WAITING || awaited[i]->counters == charged)
			continue;			/* calls of one scan come one after the other */
		charged = awaited[i]->counters;
		dnc_counters_add(charged, DNC_COUNT_WAITED, dnc_rate_limit_clock() - begin);
	}
}

/* errcontext and memory for what is done about a call. */
static void
enter_call(DncCall *call, ErrorContextCallback *context)
{
	context->callback = describe_call;
	context->arg = call;
	context->previous = error_context_stack;
	error_context_stack = context;
}

/*
 * Wait until a call has been answered with success (2xx), or accepted_status.
 * Raises the errors of DESIGN section 5 otherwise.  Interrupts are served.
 */
void
dnc_call_wait(DncCall *call)
{
	ErrorContextCallback context;
	MemoryContext before = MemoryContextSwitchTo(call->context);

	enter_call(call, &context);
	dnc_call_wait_any(&call, 1);
	if (call->state == CALL_FAILED)
		give_up(call);
	error_context_stack = context.previous;
	MemoryContextSwitchTo(before);
}

/* Would dnc_call_wait() return, or raise its error, at once?  Does not wait. */
bool
dnc_call_ready(DncCall *call)
{
	if (!is_over(call))
		advance_all();
	return is_over(call);
}

/*
 * Wait until one of several calls is ready.  Interrupts are served.  A long
 * wait for a rate limit is announced.
 */
void
dnc_call_wait_any(DncCall **awaited, int count)
{
	for (;;)
	{
		advance_all();
		for (int i = 0; i < count; i++)
		{
			if (is_over(awaited[i]))
				return;
		}
		for (int i = 0; i < count; i++)
			announce_wait(awaited[i]);
		wait_a_while(awaited, count);
	}
}

/* The status of a call that was waited for. */
int
dnc_call_status(const DncCall *call)
{
	return call->answer->status;
}

/* What the status of a call means as an error, although it was accepted; palloc'd. */
DncProblem
dnc_call_refusal(const DncCall *call)
{
	return problem_of(call);
}

/*
 * What a call that is over has failed by, in the words of the error that
 * dnc_call_wait() would raise; palloc'd.  False: it has not failed.
 */
bool
dnc_call_problem(const DncCall *call, DncProblem *problem)
{
	if (call->state != CALL_FAILED)
		return false;
	*problem = problem_of(call);
	return true;
}

/* How the last try of a call that is over ended; false: nothing was sent. */
bool
dnc_call_last_try(const DncCall *call, DncTryFacts *facts)
{
	if (call->ended == 0)
		return false;
	facts->elapsed_ms = (call->ended - call->ticket.sent) / 1000.0;
	facts->status = call->answer ? call->answer->status : 0;
	facts->rate = call->rate;
	return true;
}

/* The body of the answer to a call that was waited for; lives as long as the call. */
DncAnswer *
dnc_call_answer(DncCall *call)
{
	call->body.options = call->options;
	call->body.answer = call->answer;
	call->body.context = call->context;
	return &call->body;
}

/*
 * May the remote have acted on a call that ended in an error?  So it may where
 * no whole answer came, and where the answer was success but contradicts itself.
 */
bool
dnc_call_unclear(const DncCall *call)
{
	if (call->unclear || call->exchange == NULL)
		return call->unclear;
	return call->answer == NULL || (call->answer->status >= 200 && call->answer->status < 300);
}

/*
 * Send no further try of a call.  For the time after an error, when there is no more to
 * be done than to know what became of what was sent.
 */
void
dnc_call_stop(DncCall *call)
{
	call->stopped = true;
	if (call->state == CALL_WAITING)
		call->state = CALL_FAILED;
}

/* Wait for the answer to what was sent of a call that was stopped; true: it was success. */
bool
dnc_call_settle(DncCall *call)
{
	while (call->state == CALL_UNDER_WAY)
	{
		advance_all();
		if (call->state == CALL_UNDER_WAY)
			wait_a_while(&call, 1);
	}
	return call->state == CALL_DONE;
}

/* End a call, answered or not, and free what it holds. */
void
dnc_call_drop(DncCall *call)
{
	MemoryContextDelete(call->context);
}
