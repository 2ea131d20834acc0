/*-------------------------------------------------------------------------
 *
 * retry.c
 *		Which requests are tried again, and after how long.
 *
 * A request is tried again where the fault may pass by itself: there was no
 * connection, or no whole answer, or a status by which servers say that they are
 * overloaded or out of order.  A write that may have arrived is only repeated
 * where that is harmless.
 *
 * All that a status says about waiting is decided here, and so are the bounds of
 * a wait: what 429 and 503 ask for, for whom that holds, and how long is too
 * long.  Nothing waits here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"

#include "request/retry.h"

/* Backoff: full jitter over a range that doubles with each try. */
#define BACKOFF_BASE_MS 500.0
#define BACKOFF_CAP_MS 30000.0

/* What a status means: RFC 9110 15, RFC 6585 4. */
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
			return DNC_VERDICT_AGAIN;	/* it was not acted on */
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
 * What the end of a try means, as far as its outcome goes.  Sets *unclear where the
 * remote may have acted on it without our knowing.
 */
static DncVerdict
judge_outcome(const DncRequest *request, const DncHttpAnswer *answer, bool *unclear)
{
	/* We do not know what became of the first one, whatever the answer says. */
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
 * What the end of a try means.  *rate is of its answer, and not looked at where there is
 * none.
 *
 * Retry-After says how long to wait (RFC 9110 10.2.3).  A 429 without it asks to wait
 * until the window ends, if it says when that is.  429 (RFC 6585 4) is about the
 * account, and 503 (RFC 9110 15.6.4) about the server: so the wait holds for all
 * sessions.
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
 * Milliseconds to wait before the next try, after so many: as long as the server asks.
 * Where it does not say, the wait is by chance, so that requests which failed together
 * do not come back together; it is never too long then.
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

/* Is a wait longer than a statement puts up with? */
bool
dnc_retry_waits_too_long(const DncOptions *options, double ms)
{
	return ms > options->max_wait;
}
