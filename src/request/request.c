/*-------------------------------------------------------------------------
 *
 * request.c
 *		List requests and writes as HTTP requests: query strings, JSON bodies and headers, as the
 *		provider's struct says.
 *
 * We write bodies with PostgreSQL's own escape_json() into a StringInfo.  The bodies are
 * flat lists of strings, so a tree would be a detour, and a StringInfo belongs to a
 * memory context.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "request/request.h"
#include "wire/url.h"

/*
 * The first page of a list: the only page that we ask for before an answer has shown how the
 * list goes on.  Its number is 1 if pages are numbered.  Some APIs want that number in the
 * request (numbers_first); the others take a request without a page for the first page.
 */
DncPageRequest
dnc_request_first_page(const DncOptions *options, int limit)
{
	const DncListCall *list = &options->provider->list;
	DncPageRequest first = {.limit = limit, .number = 1};

	if (list->numbers_first)
		first.paging = list->pagings[0];
	return first;
}

/* Append a parameter to a query string. */
static void
append_parameter(StringInfo target, const char *name, const char *value)
{
	appendStringInfo(target, "&%s=%s", name, value);
}

/*
 * Make the request for a page of a list, in *request.  The filters, a list of DncParameter,
 * narrow the list.  The target is palloc'd in the current context.
 */
void
dnc_request_list(const DncOptions *options, const DncPageRequest *page, const List *filters,
				 DncRequest *request)
{
	const DncListCall *list = &options->provider->list;
	StringInfoData target;
	ListCell   *lc;

	initStringInfo(&target);
	appendStringInfo(&target, "%s?%s=%d", list->path, list->limit_parameter, page->limit);
	foreach(lc, filters)
	{
		const DncParameter *filter = lfirst(lc);

		append_parameter(&target, filter->name,
						 filter->placeholder ? filter->value : dnc_url_escape(filter->value));
	}
	if (page->paging && page->cursor)
		append_parameter(&target, page->paging->parameter, dnc_url_escape(page->cursor));
	else if (page->paging && page->number > 0)
		append_parameter(&target, page->paging->parameter,
						 psprintf("%lld", (long long) page->number));
	memset(request, 0, sizeof(*request));
	request->method = "GET";
	request->path = list->path;
	request->target = target.data;
	request->repeatable = true;
	request->need = DNC_NEED_LOOKUP;
}

/* Append an entry as a JSON object, without the members that have no value. */
static void
append_json_entry(StringInfo body, const DncWriteCall *write, DncMemberValues values)
{
	bool		first = true;

	appendStringInfoChar(body, '{');
	for (int i = 0; write->members[i].name; i++)
	{
		if (values[i] == NULL)
			continue;
		appendStringInfo(body, "%s\"%s\":", first ? "" : ",", write->members[i].name);
		escape_json(body, values[i]);
		first = false;
	}
	appendStringInfoChar(body, '}');
}

/* Append the body of a write request. */
static void
make_write_body(const DncOptions *options, const DncWriteCall *write, DncMemberValues *entries,
				int count, StringInfo body)
{
	if (write->list == NULL)
	{
		append_json_entry(body, write, entries[0]);
		return;
	}
	appendStringInfo(body, "{\"%s\":[", write->list);
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			appendStringInfoChar(body, ',');
		if (write->bare)
			escape_json(body, entries[i][0]);
		else
			append_json_entry(body, write, entries[i]);
	}
	appendStringInfoChar(body, ']');
	if (write == &options->provider->add && options->provider->append_add_options)
		options->provider->append_add_options(body, options);
	appendStringInfoChar(body, '}');
}

/* An id of at most this length, percent-encoded, fits a target of 8,000 octets (RFC 9110 4.1). */
#define MAX_ID_LENGTH 2048

/*
 * Can a path hold an entry's id as one segment?  libcurl and proxies remove dot segments, and
 * some servers decode %2F before they look at the path (RFC 3986 3.3, 5.2.4).
 */
static bool
path_can_hold(const char *id)
{
	if (strcmp(id, ".") == 0 || strcmp(id, "..") == 0 || strlen(id) > MAX_ID_LENGTH)
		return false;
	for (const char *c = id; *c; c++)
	{
		if ((unsigned char) *c < 0x20 || *c == 0x7f || *c == '/' || *c == '\\')
			return false;
	}
	return true;
}

/* The problem of an id that no path can hold; palloc'd. */
static DncProblem
path_problem(const DncOptions *options)
{
	DncProblem	problem = {.sqlstate = ERRCODE_INVALID_PARAMETER_VALUE};

	problem.message = psprintf("server \"%s\" cannot be asked for an entry with such an id",
							   options->server_name);
	problem.detail = "The id stands in the path of the request: it must not be \".\" or \"..\", hold \"/\", \"\\\" or control characters, or be longer than " CppAsString2(MAX_ID_LENGTH) " bytes.";
	problem.hint = "Leave the entry out of the statement, and remove it with the vendor's own tools.";
	return problem;
}

/* Can a request carry the entry with these values?  If not, *problem says why, palloc'd. */
bool
dnc_request_can_write(const DncOptions *options, const DncWriteCall *write,
					  DncMemberValues values, DncProblem *problem)
{
	if (strstr(write->path, "{}") == NULL || path_can_hold(values[0]))
		return true;
	*problem = path_problem(options);
	return false;
}

/*
 * Make the request that adds or removes some entries, up to the call's batch, in *request.  Its
 * strings are palloc'd in the current context.  False: no request can carry the entries;
 * *problem has the reason.
 */
bool
dnc_request_write(const DncOptions *options, const DncWriteCall *write, DncMemberValues *entries,
				  int count, DncRequest *request, DncProblem *problem)
{
	const char *slot = strstr(write->path, "{}");
	StringInfoData body;

	Assert(count > 0 && count <= write->batch);
	memset(request, 0, sizeof(*request));
	request->method = write->method;
	request->path = write->path;
	request->repeatable = write->repeatable;
	request->need = write == &options->provider->add ? DNC_NEED_ADDITION : DNC_NEED_REMOVAL;
	request->once = !(write->repeatable || write->look_first);
	request->accepted_status = write->unchanged_status;
	if (slot)
	{
		/* The path names the entry, and there is no body. */
		if (!dnc_request_can_write(options, write, entries[0], problem))
			return false;
		request->target = psprintf("%.*s%s%s", (int) (slot - write->path), write->path,
								   dnc_url_escape(entries[0][0]), slot + 2);
		return true;
	}
	initStringInfo(&body);
	make_write_body(options, write, entries, count, &body);
	request->target = write->path;
	request->body = body.data;
	request->body_length = body.len;
	return true;
}

/* The headers of a request; palloc'd. */
static List *
make_headers(const DncOptions *options, bool with_body)
{
	const DncProvider *provider = options->provider;
	List	   *headers;

	headers = list_make4(psprintf("%s: %s%s", provider->token_header, provider->token_prefix,
								  options->token),
						 "Accept: application/json",
						 "Cache-Control: no-cache",	/* RFC 9111 5.2.1.4 */
						 "User-Agent: dnc_fdw/" DNC_VERSION);
	if (options->workspace_id)
		headers = lappend(headers, psprintf("%s: %s", provider->workspace_header,
											options->workspace_id));
	if (with_body)
	{
		headers = lappend(headers, "Content-Type: application/json");
		headers = lappend(headers, "Expect:");	/* do not wait for 100 Continue */
	}
	return headers;
}

/*
 * A request to a server in the form that wire/http.c takes, with the token in *options.  New
 * strings are palloc'd in the current context; the others belong to the request.
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
	http->once = request->once;
}
