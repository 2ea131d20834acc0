/*-------------------------------------------------------------------------
 *
 * attempts.c
 *		The tries of one request, one after another.
 *
 * A request waits until we may send it (rate_limit.c says when), and is under way until
 * its try has ended.  Then the request is done, or has failed, or waits for the next try
 * (retry.c says which, and for how long).  This file does each step that needs no
 * waiting; call.c does the waiting.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "request/attempts.h"
#include "request/request_log.h"

/* Tell the rate limit how the last try ended. */
static void
report_to_rate_limit(const DncAttempts *attempts, const DncJudgement *judgement)
{
	const DncHttpAnswer *answer = attempts->answer;

	if (answer->outcome != DNC_HTTP_ANSWERED)
		dnc_rate_limit_lost(&attempts->ticket, judgement->unclear);
	else if (attempts->rate.limit > 0 || (answer->status >= 200 && answer->status < 300))
		dnc_rate_limit_answered(&attempts->ticket, &attempts->rate);
	else
		dnc_rate_limit_lost(&attempts->ticket, true);
	if (judgement->pause_ms >= 0)
		dnc_rate_limit_pause(&attempts->ticket, judgement->pause_ms);
}

/* Write the current try, which ends now, to the server's log. */
static void
log_try(const DncAttempts *attempts)
{
	dnc_request_log(attempts->options, &attempts->request, attempts->answer,
					(dnc_rate_limit_clock() - attempts->ticket.sent) / 1000.0);
}

/*
 * Count the request that libcurl sent once more by itself, on a new connection, because the
 * kept connection was dead.
 */
static void
count_resent(const DncAttempts *attempts)
{
	if (!attempts->answer->resent || attempts->answer->outcome == DNC_HTTP_NOT_CONNECTED)
		return;
	dnc_counters_add(attempts->counters, DNC_COUNT_REQUESTS, 1);
	dnc_counters_add(attempts->counters, DNC_COUNT_RETRIES, 1);
	dnc_max_requests_spend(attempts->counters->budget);
	dnc_rate_limit_resent(&attempts->ticket);
}

/* Take in the answer of a try that has ended, and its limits for further tries. */
static DncJudgement
judge_try(DncAttempts *attempts)
{
	DncJudgement judgement;

	attempts->answer = dnc_http_answer(attempts->exchange);
	attempts->ended = dnc_rate_limit_clock();
	attempts->state = DNC_ATTEMPTS_FAILED;	/* until the verdict says more */
	count_resent(attempts);
	attempts->rate.limit = 0;
	if (attempts->answer->outcome == DNC_HTTP_ANSWERED)
		dnc_rate_headers_read(attempts->exchange, &attempts->rate);
	judgement = dnc_retry_judge(&attempts->request, attempts->answer, &attempts->rate);
	attempts->verdict = judgement.verdict;
	attempts->unclear = attempts->unclear || judgement.unclear;
	report_to_rate_limit(attempts, &judgement);
	dnc_counters_add(attempts->counters, DNC_COUNT_BYTES, (int64) attempts->answer->length);
	if (judgement.rate_limited)
		dnc_counters_add(attempts->counters, DNC_COUNT_RATE_LIMITED, 1);
	log_try(attempts);
	return judgement;
}

/* A try has ended: the request is done, has failed, or waits for the next try. */
static void
finish_try(DncAttempts *attempts)
{
	DncJudgement judgement = judge_try(attempts);
	double		wait;

	if (judgement.verdict == DNC_VERDICT_DONE)
		attempts->state = DNC_ATTEMPTS_DONE;
	if (judgement.verdict != DNC_VERDICT_AGAIN || attempts->stopped)
		return;
	wait = dnc_retry_wait(attempts->options, &judgement, attempts->count);
	if (dnc_retry_waits_too_long(attempts->options, wait))
		attempts->asked_wait_ms = wait;
	else if (attempts->count <= attempts->options->max_retries)
	{
		dnc_http_drop(attempts->exchange);
		attempts->exchange = NULL;
		attempts->answer = NULL;
		attempts->state = DNC_ATTEMPTS_WAITING;
		attempts->due = dnc_rate_limit_clock() + (int64) (wait * 1000);
		attempts->limited = judgement.asked_ms >= 0;
	}
}

/* Send the request, for the first time or once more, unless it must wait longer. */
static void
try_to_send(DncAttempts *attempts)
{
	double		wait = dnc_rate_limit_admit(attempts->options, attempts->request.need,
											&attempts->ticket);

	attempts->limited = true;
	attempts->due = dnc_rate_limit_clock() + (int64) (wait * 1000);
	if (wait > 0)
		return;

	attempts->exchange = dnc_http_start(&attempts->http);
	attempts->state = DNC_ATTEMPTS_UNDER_WAY;
	dnc_counters_add(attempts->counters, DNC_COUNT_REQUESTS, 1);
	if (attempts->count++ == 0)
		attempts->first_sent = attempts->due;
	else
	{
		dnc_counters_add(attempts->counters, DNC_COUNT_RETRIES, 1);
		dnc_max_requests_spend(attempts->counters->budget);
	}
}

/*
 * Advance a request as far as possible without waiting.  Exchanges are made in the current
 * context, which must last as long as *attempts.
 */
void
dnc_attempts_advance(DncAttempts *attempts)
{
	if (attempts->state == DNC_ATTEMPTS_UNDER_WAY && dnc_http_ended(attempts->exchange))
		finish_try(attempts);
	if (attempts->state == DNC_ATTEMPTS_WAITING && dnc_rate_limit_clock() >= attempts->due)
		try_to_send(attempts);
}

/* Milliseconds until we send the request, or ask again whether we may; 0: it does not wait. */
double
dnc_attempts_wait_left(const DncAttempts *attempts)
{
	if (attempts->state != DNC_ATTEMPTS_WAITING)
		return 0;
	return Max(attempts->due - dnc_rate_limit_clock(), 0) / 1000.0;
}

/* Has a request succeeded or failed? */
bool
dnc_attempts_are_over(const DncAttempts *attempts)
{
	return attempts->state == DNC_ATTEMPTS_DONE || attempts->state == DNC_ATTEMPTS_FAILED;
}

/* Let a request fail if its wait would be too long. */
void
dnc_attempts_refuse_long_wait(DncAttempts *attempts)
{
	double		wait = dnc_attempts_wait_left(attempts);

	if (!dnc_retry_waits_too_long(attempts->options, wait))
		return;
	attempts->asked_wait_ms = wait;
	attempts->state = DNC_ATTEMPTS_FAILED;
}

/* Send no further try; a request that waits fails. */
void
dnc_attempts_stop(DncAttempts *attempts)
{
	attempts->stopped = true;
	if (attempts->state == DNC_ATTEMPTS_WAITING)
		attempts->state = DNC_ATTEMPTS_FAILED;
}

/* Give up a request in any state; a try under way counts as sent.  Raises nothing. */
void
dnc_attempts_abandon(DncAttempts *attempts)
{
	if (attempts->state != DNC_ATTEMPTS_UNDER_WAY)
		return;
	dnc_rate_limit_lost(&attempts->ticket, true);
	log_try(attempts);
}

/* The reason why a request failed, in the words of an error; palloc'd in the current context. */
DncProblem
dnc_attempts_problem(const DncAttempts *attempts)
{
	DncTries	tries = {.count = attempts->count, .asked_wait_ms = attempts->asked_wait_ms};

	tries.elapsed_ms = (dnc_rate_limit_clock() - attempts->first_sent) / 1000.0;
	return dnc_remote_error_problem(attempts->options, attempts->answer, &tries);
}
