/*-------------------------------------------------------------------------
 *
 * call.c
 *		The calls of a session: concurrent requests to servers, and the wait for them.
 *
 * A call is one request, tried until it is answered or given up (attempts.c).  Each call
 * starts and ends by itself, so several can be under way.  Code that waits for one call
 * advances all calls of the session meanwhile, so no call holds up another.
 *
 * Each call has its own memory context.  When that context goes, with a scan, an error
 * or an abort, the call ends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "lib/ilist.h"
#include "utils/memutils.h"

#include "compat.h"
#include "request/attempts.h"
#include "request/call.h"
#include "wire/http_session.h"

/* We announce no shorter waits, even if wait_notice is lower. */
#define SHORT_WAIT_MS 1000.0

struct DncCall
{
	dlist_node	link;			/* in calls */
	MemoryContextCallback cleanup;
	MemoryContext context;		/* holds the call, its answer and its tree */
	DncAttempts attempts;
	int64		announced;		/* we have told the user about the wait until this time */
	DncAnswer	answer;			/* see dnc_call_answer() */
};

int			dnc_wait_notice = 5000;

/* The session's calls, in the order of their starts. */
static dlist_head calls = DLIST_STATIC_INIT(calls);

/* errcontext: the request without its query, which may hold identifiers. */
static void
describe_call(void *arg)
{
	const DncAttempts *attempts = &((DncCall *) arg)->attempts;

	errcontext("request %s %s to server \"%s\"", attempts->request.method,
			   attempts->request.path, attempts->options->server_name);
}

/* Set the errcontext for work on a call. */
static void
enter_call(DncCall *call, ErrorContextCallback *context)
{
	context->callback = describe_call;
	context->arg = call;
	context->previous = error_context_stack;
	error_context_stack = context;
}

/*
 * Is there room for one more request to a server, a request that can still wait?
 * max_concurrency and the budget decide that.
 */
bool
dnc_call_has_room(const DncOptions *options, const DncBudget *budget)
{
	int			open = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &calls)
	{
		const DncAttempts *attempts = &dlist_container(DncCall, link, iter.cur)->attempts;

		if (attempts->options->serverid == options->serverid && !dnc_attempts_are_over(attempts))
			open++;
	}
	return open < options->max_concurrency && dnc_max_requests_allows(budget, 1);
}

/* Runs when a call's context goes, for any reason. */
static void
release_call(void *arg)
{
	DncCall    *call = arg;

	dlist_delete(&call->link);
	dnc_attempts_abandon(&call->attempts);
}

/* Advance all calls of the session as far as possible without waiting. */
static void
advance_all(void)
{
	dlist_iter	iter;

	dnc_http_session_perform();
	dlist_foreach(iter, &calls)
	{
		DncCall    *call = dlist_container(DncCall, link, iter.cur);
		MemoryContext before = MemoryContextSwitchTo(call->context);

		dnc_attempts_advance(&call->attempts);
		MemoryContextSwitchTo(before);
	}
}

/* Copy a request into a new call, whose context is current, in the form that its attempts send. */
static void
take_request(DncCall *call, const DncOptions *options, const DncRequest *request)
{
	DncAttempts *attempts = &call->attempts;

	attempts->request = *request;
	attempts->request.target = NULL;	/* belongs to the caller, and no longer needed */
	attempts->request.path = pstrdup(request->path);
	if (request->body)
	{
		char	   *body = MemoryContextAllocHuge(call->context, (Size) request->body_length + 1);

		memcpy(body, request->body, (size_t) request->body_length + 1);
		attempts->request.body = body;
	}
	dnc_request_prepare(options, request, &attempts->http);
	attempts->http.body = attempts->request.body;	/* our own copy */
}

/*
 * Start a request to a server, with the token in *options.  We send it now, or when its turn
 * comes while somebody waits for any call.  The request is charged to the budget in *counters.
 * The call belongs to the current memory context, and ends with it.  *options and *counters
 * must outlive the call; the request's strings need not.
 */
DncCall *
dnc_call_start(const DncOptions *options, const DncRequest *request, DncCounters *counters)
{
	MemoryContext context;
	MemoryContext before;
	DncCall    *call;

	if (counters->budget == NULL)
		elog(ERROR, "a request has no budget");
	context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw call", ALLOCSET_DEFAULT_SIZES);
	before = MemoryContextSwitchTo(context);
	call = palloc0(sizeof(DncCall));
	call->context = context;
	call->attempts.options = options;
	call->attempts.counters = counters;
	take_request(call, options, request);
	MemoryContextSwitchTo(before);

	dnc_max_requests_spend(counters->budget);
	call->cleanup.func = release_call;
	call->cleanup.arg = call;
	dlist_push_tail(&calls, &call->link);
	MemoryContextRegisterResetCallback(context, &call->cleanup);
	advance_all();
	return call;
}

/* Tell the user about a long wait for the rate limit, once. */
static void
announce_wait(DncCall *call)
{
	const DncAttempts *attempts = &call->attempts;
	const int64 *counts = attempts->counters->counts;
	double		wait = dnc_attempts_wait_left(attempts);

	if (!attempts->limited || dnc_rate_limit_clock() < call->announced ||
		dnc_wait_notice < 0 || wait <= Max(dnc_wait_notice, SHORT_WAIT_MS))
		return;
	call->announced = attempts->due;
	ereport(NOTICE,
			(errmsg("waiting %.0f s for the rate limit of server \"%s\"", ceil(wait / 1000),
					attempts->options->server_name),
			 attempts->request.body ? 0
			 : errdetail("So far %lld entries were read in %lld requests.",
						 (long long) counts[DNC_COUNT_ENTRIES],
						 (long long) counts[DNC_COUNT_REQUESTS])));
}

/* Does a call wait for the time of its next try? */
static bool
is_waiting(const DncCall *call)
{
	return call->attempts.state == DNC_ATTEMPTS_WAITING;
}

/* The earliest time when a waiting call of the session is due; PG_INT64_MAX: none waits. */
static int64
next_due(void)
{
	int64		due = PG_INT64_MAX;
	dlist_iter	iter;

	dlist_foreach(iter, &calls)
	{
		const DncCall *call = dlist_container(DncCall, link, iter.cur);

		if (is_waiting(call))
			due = Min(due, call->attempts.due);
	}
	return due;
}

/*
 * Wait until the network has something, the next call of the session is due, or a slice of time
 * is over.  The time is counted for those of the awaited calls that wait for their turn.
 */
static void
wait_a_while(DncCall **awaited, int count)
{
	static uint32 limited_event = 0;
	int64		begin = dnc_rate_limit_clock();
	bool		limited = true;
	DncCounters *counted = NULL;

	if (limited_event == 0)
		limited_event = dnc_wait_event("DncFdwRateLimit");
	for (int i = 0; i < count; i++)
		limited = limited && is_waiting(awaited[i]) && awaited[i]->attempts.limited;
	dnc_http_session_poll((next_due() - begin) / 1000.0,
						  limited ? limited_event : PG_WAIT_EXTENSION);
	for (int i = 0; i < count; i++)
	{
		if (!is_waiting(awaited[i]) || awaited[i]->attempts.counters == counted)
			continue;			/* the calls of a scan are next to each other */
		counted = awaited[i]->attempts.counters;
		dnc_counters_add(counted, DNC_COUNT_WAITED, dnc_rate_limit_clock() - begin);
	}
}

/* Show in dnc_fdw_progress which awaited calls wait for their turn; waiting = false: none does. */
static void
show_waits(DncCall **awaited, int count, bool waiting)
{
	for (int i = 0; i < count; i++)
		dnc_progress_wait(awaited[i]->attempts.counters->progress, -1);
	for (int i = 0; i < count && waiting; i++)
	{
		const DncAttempts *attempts = &awaited[i]->attempts;

		if (is_waiting(awaited[i]))
			dnc_progress_wait(attempts->counters->progress,
							  attempts->due - dnc_rate_limit_clock());
	}
}

/*
 * Advance all calls of the session as far as possible without waiting.  True: this call is
 * over, and dnc_call_wait() would return or raise its error at once.  A call that would have to
 * wait too long fails.
 */
bool
dnc_call_poll(DncCall *call)
{
	dnc_attempts_refuse_long_wait(&call->attempts);
	if (dnc_attempts_are_over(&call->attempts))
		return true;
	advance_all();
	dnc_attempts_refuse_long_wait(&call->attempts);
	return dnc_attempts_are_over(&call->attempts);
}

/*
 * Wait until one of several calls is over.  Interrupts are served, and a long wait for a rate
 * limit is announced.  A call that fails raises no error here.
 */
void
dnc_call_wait_any(DncCall **awaited, int count)
{
	for (;;)
	{
		advance_all();
		for (int i = 0; i < count; i++)
		{
			dnc_attempts_refuse_long_wait(&awaited[i]->attempts);
			if (dnc_attempts_are_over(&awaited[i]->attempts))
			{
				show_waits(awaited, count, false);
				return;
			}
		}
		for (int i = 0; i < count; i++)
			announce_wait(awaited[i]);
		show_waits(awaited, count, true);
		wait_a_while(awaited, count);
	}
}

/* Raise the error for a call that has failed. */
static void
give_up(const DncCall *call)
{
	DncProblem	problem = dnc_attempts_problem(&call->attempts);

	dnc_remote_error_raise(&problem);
}

/*
 * Wait until a call has been answered with success (2xx) or accepted_status.  Otherwise this
 * raises the remote's error (remote_error.c).  Interrupts are served.
 */
void
dnc_call_wait(DncCall *call)
{
	ErrorContextCallback context;
	MemoryContext before = MemoryContextSwitchTo(call->context);

	enter_call(call, &context);
	dnc_call_wait_any(&call, 1);
	if (call->attempts.state == DNC_ATTEMPTS_FAILED)
		give_up(call);
	error_context_stack = context.previous;
	MemoryContextSwitchTo(before);
}

/* The status of the answer to a call that is over. */
int
dnc_call_status(const DncCall *call)
{
	return call->attempts.answer->status;
}

/*
 * For how long a cache has kept the answer to a call that is over, in seconds (RFC 9111 5.1); 0: the
 * answer does not come from a cache.
 */
double
dnc_call_age(const DncCall *call)
{
	const char *age = dnc_http_header(call->attempts.exchange, "Age");

	return age ? strtod(age, NULL) : 0;
}

/* The status of a call as an error, even if the status was accepted; palloc'd. */
DncProblem
dnc_call_refusal(const DncCall *call)
{
	return dnc_attempts_problem(&call->attempts);
}

/*
 * How a call stands or has ended, for code that must know the fate of its request.  Raises
 * nothing.
 */
DncCallOutcome
dnc_call_outcome(const DncCall *call)
{
	const DncAttempts *attempts = &call->attempts;

	if (attempts->state == DNC_ATTEMPTS_DONE)
		return DNC_CALL_SUCCEEDED;
	if (attempts->unclear || attempts->state == DNC_ATTEMPTS_UNDER_WAY)
		return DNC_CALL_UNCLEAR;
	if (attempts->answer && attempts->answer->outcome == DNC_HTTP_ANSWERED &&
		attempts->verdict == DNC_VERDICT_FAILED)
		return DNC_CALL_REFUSED;
	return DNC_CALL_NOT_TAKEN;
}

/*
 * The reason why a call that is over has failed, in the words of the error that dnc_call_wait()
 * would raise; palloc'd.  False: the call has not failed.
 */
bool
dnc_call_problem(const DncCall *call, DncProblem *problem)
{
	if (call->attempts.state != DNC_ATTEMPTS_FAILED)
		return false;
	*problem = dnc_attempts_problem(&call->attempts);
	return true;
}

/* The time that the server puts on its answer; -1: there is none. */
static int64
date_of(const DncAttempts *attempts)
{
	const char *date = NULL;

	if (attempts->answer && attempts->answer->outcome == DNC_HTTP_ANSWERED)
		date = dnc_http_header(attempts->exchange, "Date");
	return date ? dnc_http_date(date) : -1;
}

/* The facts about the last try of a call that is over; false: no try has ended. */
bool
dnc_call_last_try(const DncCall *call, DncTryFacts *facts)
{
	const DncAttempts *attempts = &call->attempts;

	if (attempts->ended == 0)
		return false;
	facts->elapsed_ms = (attempts->ended - attempts->ticket.sent) / 1000.0;
	facts->age_ms = (dnc_rate_limit_clock() - attempts->ticket.sent) / 1000.0;
	facts->status = attempts->answer ? attempts->answer->status : 0;
	facts->rate = attempts->rate;
	facts->date = date_of(attempts);
	return true;
}

/* The answer to a call that is over; lives as long as the call. */
DncAnswer *
dnc_call_answer(DncCall *call)
{
	call->answer.options = call->attempts.options;
	call->answer.http = call->attempts.answer;
	call->answer.context = call->context;
	return &call->answer;
}

/*
 * May the remote have acted on a call that ended in an error?  It may have if no whole answer
 * came, or if the answer was a success that contradicts itself.
 */
bool
dnc_call_unclear(const DncCall *call)
{
	DncCallOutcome outcome = dnc_call_outcome(call);

	if (outcome != DNC_CALL_SUCCEEDED)
		return outcome == DNC_CALL_UNCLEAR;
	return call->attempts.unclear ||
		(dnc_call_status(call) >= 200 && dnc_call_status(call) < 300);
}

/*
 * Send no further try of a call.  We use this after an error, when we only want to know the
 * fate of the tries that were sent.
 */
void
dnc_call_stop(DncCall *call)
{
	dnc_attempts_stop(&call->attempts);
}
