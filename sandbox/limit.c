/*
 * limit.c
 *		The rate limit: so many requests in a fixed window, per account.
 *
 * The window opens with the first request after the last one ended.  Seconds are rounded up, so
 * that whoever waits as long as the headers say finds a new window.
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
 * Counts one request and puts the RateLimit headers on its answer (nothing while allowed is 0).
 * False: the request is one too many, and *retry_after says for how many seconds.
 */
bool
sb_limit_take(SbLimit *limit, long allowed, long window_ms, SbAnswer *answer, long *retry_after)
{
	int64_t		now = sb_now_us();
	bool		taken;

	if (allowed == 0)
		return true;
	if (now >= limit->window_ends_us)
	{
		limit->window_ends_us = now + window_ms * 1000;
		limit->used = 0;
	}
	taken = limit->used < allowed;
	if (taken)
		limit->used++;

	*retry_after = seconds((limit->window_ends_us - now + 999) / 1000);
	sb_answer_header(answer, "RateLimit-Limit", "%ld", allowed);
	sb_answer_header(answer, "RateLimit-Remaining", "%ld", allowed - limit->used);
	sb_answer_header(answer, "RateLimit-Reset", "%ld", *retry_after);
	sb_answer_header(answer, "RateLimit-Policy", "%ld;w=%ld", allowed, seconds(window_ms));
	if (!taken)
		sb_answer_header(answer, "Retry-After", "%ld", *retry_after);
	return taken;
}
