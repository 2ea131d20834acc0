/*-------------------------------------------------------------------------
 *
 * request_log.c
 *		The requests in the server's log, a line each (dnc_fdw.log_requests).
 *
 * A line never holds an identifier or a token.  So we leave out the query, the body and
 * the headers, and tell PostgreSQL to add neither the statement nor the context.  The
 * path is that of the provider's struct, with {} in place of an entry's id.  No vendor
 * documents how its ids are made, so we treat them as secrets.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "request/request_log.h"

bool		dnc_log_requests = false;

/* How a try ended without a whole answer. */
static const char *const endings[] = {
	[DNC_HTTP_NOT_CONNECTED] = "no connection",
	[DNC_HTTP_NOT_SECURED] = "no secure connection",
	[DNC_HTTP_NOT_TRUSTED] = "certificate not trusted",
	[DNC_HTTP_BROKEN] = "connection broken",
	[DNC_HTTP_TIMED_OUT] = "timed out",
	[DNC_HTTP_CUT_OFF] = "answer cut off",
	[DNC_HTTP_MALFORMED] = "answer is not HTTP",
	[DNC_HTTP_TOO_LARGE] = "answer too large",
};

/* The end of a try, in a few words. */
static const char *
ending(const DncHttpAnswer *answer)
{
	if (answer == NULL)
		return "given up";
	if (answer->outcome != DNC_HTTP_ANSWERED)
		return endings[answer->outcome];
	return psprintf("status %d", answer->status);
}

/*
 * A try of a request has ended after this many milliseconds, with an answer, or because we gave
 * it up (NULL).  Write one line to the server's log; the client sees nothing.
 */
void
dnc_request_log(const DncOptions *options, const DncRequest *request,
				const DncHttpAnswer *answer, double ms)
{
	if (!dnc_log_requests)
		return;
	ereport(LOG_SERVER_ONLY,
			(errmsg("request to server \"%s\": %s %s, %s, %.1f ms, %lld bytes",
					options->server_name, request->method, request->path, ending(answer), ms,
					answer ? (long long) answer->length : 0),
			 errhidestmt(true), errhidecontext(true)));
}
