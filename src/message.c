/*-------------------------------------------------------------------------
 *
 * message.c
 *		What requests carry besides their content, and what answers say of theirs.
 *
 * Here a request gets the server's base URL, the user's token and the limits
 * that are in force; and here a body becomes a tree, unless it says itself that
 * the request has failed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "message.h"
#include "report.h"

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
dnc_message_prepare(const DncOptions *options, const DncRequest *request, DncHttpRequest *http)
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

/*
 * The body of a good answer as a tree, in the current context.  Raises 08P01 where
 * it is not JSON, or says itself that the request failed.
 */
const DncJson *
dnc_message_read(const DncOptions *options, const DncHttpAnswer *answer)
{
	const char *problem;
	const DncJson *tree = dnc_json_parse(answer->body, answer->length, &problem);
	const DncJson *success;

	if (tree == NULL)
		dnc_report_contract(options, "%s HTTP status %d, content type %s, %zu bytes.", problem,
							answer->status,
							answer->content_type
							? dnc_report_remote_text(options, answer->content_type) : "unknown",
							answer->length);
	if (options->provider->success == NULL)
		return tree;
	success = dnc_json_get(tree, options->provider->success);
	if (success == NULL || dnc_json_kind(success) != DNC_JSON_BOOLEAN)
		dnc_report_contract(options, "The answer's \"%s\" is missing or not a boolean.",
							options->provider->success);
	if (!dnc_json_boolean(success))
	{
		char	   *text = dnc_report_api_message(options, tree);

		dnc_report_contract(options, "The answer's \"%s\" is false. It says: \"%s\".",
							options->provider->success, text ? text : "");
	}
	return tree;
}
