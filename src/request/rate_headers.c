/*-------------------------------------------------------------------------
 *
 * rate_headers.c
 *		The headers of an answer that limit further requests.
 *
 * RateLimit-Limit, -Remaining and -Reset are those of the IETF's draft "RateLimit header
 * fields for HTTP" up to version 07: requests, and seconds from now.  Retry-After is
 * that of RFC 9110 10.2.3.  We ignore a header that does not have the documented form.
 * retry.c and rate_limit.c decide about the consequences.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "request/rate_headers.h"

/* We cap every number at this; in seconds, it is about 30 years. */
#define MAX_NUMBER 1000000000

/* The whole number at the beginning of a text; -1: there is none. */
static int
leading_number(const char *text, const char **rest)
{
	int64		number = 0;

	for (*rest = text; **rest >= '0' && **rest <= '9'; (*rest)++)
		number = Min(number * 10 + (**rest - '0'), MAX_NUMBER);
	return *rest == text ? -1 : (int) number;
}

/*
 * The number in a header; -1: none.  A list of quotas ("100, 100;w=60") begins with the quota
 * in force.
 */
static int
header_number(const DncHttpExchange *exchange, const char *name)
{
	const char *value = dnc_http_header(exchange, name);
	const char *rest;
	int			number;

	if (value == NULL)
		return -1;
	number = leading_number(value, &rest);
	return *rest == '\0' || strchr(" \t,;", *rest) ? number : -1;
}

/*
 * The seconds to wait according to Retry-After, which is a number or a date; -1: it does not
 * say.  A date in the past means now.  We compare the date with the answer's own Date header,
 * so the clocks of the two machines need not agree.
 */
static int
retry_after(const DncHttpExchange *exchange)
{
	const char *value = dnc_http_header(exchange, "Retry-After");
	const char *rest;
	int			number;
	int64		then;
	int64		now;

	if (value == NULL)
		return -1;
	number = leading_number(value, &rest);
	if (*rest == '\0')
		return number;
	then = dnc_http_date(value);
	if (then < 0)
		return -1;
	value = dnc_http_header(exchange, "Date");
	now = value ? dnc_http_date(value) : -1;
	if (now < 0)
		now = time(NULL);
	return (int) Min(Max(then - now, 0), MAX_NUMBER);
}

/* A number of seconds as milliseconds; -1 stays. */
static double
milliseconds(int seconds)
{
	return seconds < 0 ? -1 : seconds * 1000.0;
}

/* Read the headers of the answer to a request that has ended. */
void
dnc_rate_headers_read(const DncHttpExchange *exchange, DncRateHeaders *rate)
{
	int			limit = header_number(exchange, "RateLimit-Limit");
	int			remaining = header_number(exchange, "RateLimit-Remaining");
	int			reset = header_number(exchange, "RateLimit-Reset");

	rate->retry_after_ms = milliseconds(retry_after(exchange));
	rate->limit = limit > 0 && remaining >= 0 && reset >= 0 ? limit : 0;
	rate->remaining = remaining;
	rate->reset_ms = milliseconds(reset);
}
