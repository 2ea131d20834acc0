/*-------------------------------------------------------------------------
 *
 * retry.c
 *		Which requests we try again, and after how long.
 *
 * We try a request again if the fault may pass by itself: there was no connection, or no
 * whole answer, or a status of a server that is overloaded or out of order.  We repeat a
 * write that may have arrived only if that is harmless.
 *
 * This file decides everything that a status says about waiting, and the bounds of a
 * wait: which wait 429 and 503 ask for, whom that wait holds up, and how long is too
 * long.  Nothing waits here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"

#include "request/retry.h"

/* Backoff with full jitter over a range that doubles with each try. */
#define BACKOFF_BASE_MS 500.0
#define BACKOFF_CAP_MS 30000.0

/* The meaning of a status: RFC 9110 15, RFC 6585 4. */
static DncVerdict
judge_status(const DncRequest *request, int status)
{
	if (status >= 200 && status < 300)
		return DNC_VERDICT_DONE;
	if (request->accepted_status != 0 && status == request->accepted_status)
		return DNC_VERDICT_DONE;
	switch (status)
	{
		case 408:
		case 429:
			return DNC_VERDICT_AGAIN;	/* the server has not acted on the request */
		case 500:
		case 502:
		case 503:
		case 504:
			return request->repeatable ? DNC_VERDICT_AGAIN : DNC_VERDICT_FAILED;
		default:
			return DNC_VERDICT_FAILED;
	}
}

/*
 * The meaning of a try's end, by its outcome alone.  Sets *unclear if the remote may have acted
 * on the request without our knowing.
 */
static DncVerdict
judge_outcome(const DncRequest *request, const DncHttpAnswer *answer, bool *unclear)
{
	/* If libcurl sent the request twice, no answer tells us the fate of the first one. */
	*unclear = answer->resent;
	switch (answer->outcome)
	{
		case DNC_HTTP_ANSWERED:
			if (answer->status >= 500)
				*unclear = true;
			return judge_status(request, answer->status);
		case DNC_HTTP_NOT_CONNECTED:
		case DNC_HTTP_NOT_SECURED:
			return DNC_VERDICT_AGAIN;
		case DNC_HTTP_BROKEN:
		case DNC_HTTP_TIMED_OUT:
		case DNC_HTTP_CUT_OFF:
			*unclear = true;
			return request->repeatable ? DNC_VERDICT_AGAIN : DNC_VERDICT_FAILED;
		case DNC_HTTP_MALFORMED:
		case DNC_HTTP_TOO_LARGE:
			*unclear = true;
			return DNC_VERDICT_FAILED;
		case DNC_HTTP_NOT_TRUSTED:
			break;
	}
	return DNC_VERDICT_FAILED;
}

/*
 * The meaning of a try's end.  *rate is from the try's answer; we ignore it if there is no
 * answer.
 *
 * Retry-After says how long to wait (RFC 9110 10.2.3).  A 429 without Retry-After asks us to
 * wait until the window ends, if the answer says when that is.  429 (RFC 6585 4) is about the
 * account, and 503 (RFC 9110 15.6.4) is about the server, so the wait holds for all sessions.
 */
DncJudgement
dnc_retry_judge(const DncRequest *request, const DncHttpAnswer *answer, const DncRateHeaders *rate)
{
	DncJudgement judgement = {.asked_ms = -1, .pause_ms = -1};

	judgement.verdict = judge_outcome(request, answer, &judgement.unclear);
	judgement.rate_limited = answer->status == 429;
	if (answer->outcome != DNC_HTTP_ANSWERED)
		return judgement;
	judgement.asked_ms = rate->retry_after_ms;
	if (judgement.rate_limited && judgement.asked_ms < 0)
		judgement.asked_ms = rate->reset_ms;
	if (judgement.rate_limited || answer->status == 503)
		judgement.pause_ms = Min(judgement.asked_ms, DNC_LONGEST_PAUSE_MS);
	return judgement;
}

/*
 * Milliseconds to wait before the next try, after this many tries: as long as the server asks.
 * If the server does not say, the wait is random, so requests that failed together do not come
 * back together.  A random wait is never longer than max_wait.
 */
double
dnc_retry_wait(const DncOptions *options, const DncJudgement *judgement, int tries)
{
	double		range = BACKOFF_BASE_MS * (double) (1 << Min(tries - 1, 10));

	if (judgement->asked_ms >= 0)
		return judgement->asked_ms;
	range = Min(range, Min(BACKOFF_CAP_MS, (double) options->max_wait));
	return pg_prng_double(&pg_global_prng_state) * range;
}

/* Is a wait longer than a statement accepts? */
bool
dnc_retry_waits_too_long(const DncOptions *options, double ms)
{
	return ms > options->max_wait;
}
