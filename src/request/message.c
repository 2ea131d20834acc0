/*-------------------------------------------------------------------------
 *
 * message.c
 *		What requests carry besides their content: the server's base URL, the
 *		user's token, and the limits that are in force.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "request/message.h"

/* The headers of a request; palloc'd. */
static List *
make_headers(const DncOptions *options, bool with_body)
{
	const DncProvider *provider = options->provider;
	List	   *headers;

	headers = list_make3(psprintf("%s: %s%s", provider->token_header, provider->token_prefix,
								  options->token),
						 "Accept: application/json",
						 "User-Agent: dnc_fdw/" DNC_VERSION);
	if (options->workspace_id)
		headers = lappend(headers, psprintf("%s: %s", provider->workspace_header,
											options->workspace_id));
	if (with_body)
	{
		headers = lappend(headers, "Content-Type: application/json");
		headers = lappend(headers, "Expect:");	/* no waiting for 100 Continue */
	}
	return headers;
}

/*
 * A request to a server as transport takes it, with the token in *options.  What
 * is new is palloc'd in the current context; the rest is the request's.
 */
void
dnc_request_prepare(const DncOptions *options, const DncRequest *request, DncHttpRequest *http)
{
	http->method = request->method;
	http->url = psprintf("%s%s", options->base_url, request->target);
	http->headers = make_headers(options, request->body != NULL);
	http->body = request->body;
	http->body_length = request->body_length;
	http->connect_timeout = options->connect_timeout;
	http->timeout = options->request_timeout;
	http->max_response_size = options->max_response_size;
	http->ca_file = options->ca_file;
	http->once = !request->repeatable;
}
