/*
 * limit.c
 *		The rate limit: a number of requests in a fixed window, for each account.
 *
 * The window opens with the first request after the last window ended.  Seconds are rounded up,
 * so a client that waits as long as the headers say finds a new window.
 */
#include "limit.h"

#include "timer.h"

/* Milliseconds as whole seconds, rounded up. */
static long
seconds(int64_t ms)
{
	return (long) ((ms + 999) / 1000);
}

/*
 * Counts one request, and puts the headers that config asks for on its answer (none if there is
 * no limit).  False: the request is one too many, and *retry_after is the number of seconds to
 * wait.
 */
bool
sb_limit_take(SbLimit *limit, const SbConfig *config, SbAnswer *answer, long *retry_after)
{
	long		allowed = config->rate_limit;
	SbRateHeaders headers = (SbRateHeaders) config->rate_headers;
	int64_t		now = sb_now_us();
	bool		taken;

	if (allowed == 0)
		return true;
	if (now >= limit->window_ends_us)
	{
		limit->window_ends_us = now + config->rate_window_ms * 1000;
		limit->used = 0;
	}
	taken = limit->used < allowed;
	if (taken)
		limit->used++;

	*retry_after = seconds((limit->window_ends_us - now + 999) / 1000);
	if (headers == SB_RATE_HEADERS_ALL || headers == SB_RATE_HEADERS_RATELIMIT)
	{
		sb_answer_header(answer, "RateLimit-Limit", "%ld", allowed);
		sb_answer_header(answer, "RateLimit-Remaining", "%ld", allowed - limit->used);
		sb_answer_header(answer, "RateLimit-Reset", "%ld", *retry_after);
		sb_answer_header(answer, "RateLimit-Policy", "%ld;w=%ld", allowed,
						 seconds(config->rate_window_ms));
	}
	if (!taken && (headers == SB_RATE_HEADERS_ALL || headers == SB_RATE_HEADERS_RETRY_AFTER))
		sb_answer_header(answer, "Retry-After", "%ld", *retry_after);
	return taken;
}
