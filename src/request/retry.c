/*-------------------------------------------------------------------------
 *
 * retry.c
 *		Which requests are tried again, and after how long.
 *
 * What may pass by itself is tried again: no connection, no whole answer, and
 * the statuses by which servers say that they are overloaded or out of order.
 * A write that may have arrived is only repeated where that is harmless.
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
 * What the end of a try means.  Sets *unclear where the remote may have acted
 * on it without our knowing.
 */
DncVerdict
dnc_retry_judge(const DncRequest *request, const DncHttpAnswer *answer, bool *unclear)
{
	/* What became of the first one is not known, whatever the answer says. */
	if (answer->resent)
		*unclear = true;
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
 * Milliseconds to wait before the next try, after so many and where the server
 * does not say: by chance, so that those who failed together do not come back
 * together; no longer than longest_ms.
 */
double
dnc_retry_backoff(int tries, double longest_ms)
{
	double		range = BACKOFF_BASE_MS * (double) (1 << Min(tries - 1, 10));

	range = Min(range, Min(BACKOFF_CAP_MS, longest_ms));
	return pg_prng_double(&pg_global_prng_state) * range;
}
