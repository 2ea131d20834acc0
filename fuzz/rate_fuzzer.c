/*
 * rate_fuzzer.c
 *		src/request/rate_headers.c, which reads the headers that say when to ask again, under
 *		libFuzzer.
 *
 * An input has a header's value on each line.  Whatever they are, the result is a number of
 * requests, and times for which we can wait.
 */
#include "postgres.h"

#include <curl/curl.h>
#include <math.h>

#include "postgres_stub.h"
#include "request/rate_headers.h"

/* The headers, in the order of the lines; NULL: not there. */
static const char *const names[] = {"Retry-After", "Date", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"};
static const char *values[lengthof(names)];

/* As in src/wire/http.c, of the headers above. */
const char *
dnc_http_header(const DncHttpExchange *exchange, const char *name)
{
	for (size_t i = 0; i < lengthof(names); i++)
	{
		if (strcmp(names[i], name) == 0)
			return values[i];
	}
	abort();					/* a header that has no value here */
}

/* As in src/wire/http.c. */
int64
dnc_http_date(const char *text)
{
	return curl_getdate(text, NULL);
}

/* Fails unless a time is none, or between now and a hundred years. */
static void
check_time(double ms)
{
	if (isnan(ms) || (ms != -1 && (ms < 0 || ms > 100 * 366 * 86400.0 * 1000)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text = palloc(size + 1);
	char	   *next = text;
	DncRateHeaders rate;

	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < lengthof(names); i++)
	{
		values[i] = next ? strsep(&next, "\n") : NULL;
		if (values[i] && values[i][0] == '-')
			values[i] = NULL;
	}
	dnc_rate_headers_read(NULL, &rate);
	check_time(rate.retry_after_ms);
	check_time(rate.reset_ms);
	if (rate.limit < 0)
		abort();
	if (rate.limit > 0 && (rate.remaining < 0 || rate.reset_ms < 0))
		abort();
	stub_reset();
	return 0;
}
