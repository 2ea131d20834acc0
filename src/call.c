/*-------------------------------------------------------------------------
 *
 * call.c
 *		One request to a server, tried until it is answered or given up.
 *
 * Here a request gets the server's base URL and the user's token, and here is
 * the one retry loop: what is tried again, how long is waited in between, and
 * when it becomes an error.  A call is started, waited for and dropped by
 * itself, so that several can be under way; tries after the first are made
 * while it is waited for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "portability/instr_time.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "call.h"
#include "http.h"
#include "report.h"

/* Backoff: full jitter over a range that doubles with each try. */
#define BACKOFF_BASE_MS 500.0
#define BACKOFF_CAP_MS 30000.0

struct DncCall
{
	MemoryContext context;		/* holds the call, its answer and its tree */
	const DncOptions *options;
	DncRequest	request;
	DncHttpRequest http;
	DncTally   *tally;
	DncHttpExchange *exchange;	/* the present try's */
	const DncHttpAnswer *answer;	/* NULL until it is waited for */
	bool		unclear;		/* a try may have arrived without our knowing */
	int			tries;
	instr_time	start;
};

int			dnc_max_requests = 0;

/* The requests of the present statement to one server. */
typedef struct StatementCount
{
	Oid			serverid;
	TimestampTz statement;		/* when it began */
	int64		requests;
} StatementCount;

/* The session's, by server. */
static HTAB *statement_counts = NULL;

/* What a try's answer means for the call. */
typedef enum Verdict
{
	VERDICT_DONE,
	VERDICT_AGAIN,
	VERDICT_FAILED
} Verdict;

/* errcontext: the request, without its query, which may hold identifiers. */
static void
describe_call(void *arg)
{
	DncCall    *call = arg;

	errcontext("request %s %s to server \"%s\"", call->request.method, call->request.path,
			   call->options->server_name);
}

/* The headers of a request; palloc'd. */
static List *
make_headers(const DncOptions *options, bool with_body)
{
	const DncProvider *provider = options->provider;
	List	   *headers;

	headers = list_make3(psprintf("%s: %s%s", provider->token_header, provider->token_prefix,
								  options->token),
						 "Accept: application/json",
						 "User-Agent: dnc_fdw/1.0");
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

/* How many requests the present statement has sent to a server. */
static StatementCount *
find_count(Oid serverid)
{
	TimestampTz statement = GetCurrentStatementStartTimestamp();
	StatementCount *count;
	bool		found;

	if (statement_counts == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(Oid), .entrysize = sizeof(StatementCount)};

		statement_counts = hash_create("dnc_fdw requests of a statement", 8, &ctl,
									   HASH_ELEM | HASH_BLOBS);
	}
	count = hash_search(statement_counts, &serverid, HASH_ENTER, &found);
	if (!found || count->statement != statement)
	{
		count->statement = statement;
		count->requests = 0;
	}
	return count;
}

/*
 * May the present statement send some more requests to a server?  Raises 54000
 * where max_requests of the server, or the setting, forbids it.
 */
void
dnc_call_allow(const DncOptions *options, int64 more)
{
	StatementCount *count = find_count(options->serverid);
	int			limit = options->max_requests;

	if (limit == 0 || (dnc_max_requests > 0 && dnc_max_requests < limit))
		limit = dnc_max_requests;
	if (limit > 0 && count->requests + more > limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("statement needs more requests to server \"%s\" than max_requests allows",
						options->server_name),
				 errdetail("It has sent %lld and needs %lld more at least; max_requests is %d.",
						   (long long) count->requests, (long long) more, limit),
				 errhint("ANALYZE the foreign table, and look with EXPLAIN whether another plan takes fewer. If all are needed, raise max_requests of the server, or dnc_fdw.max_requests.")));
}

/* Send the request, once more or for the first time. */
static void
send_try(DncCall *call)
{
	MemoryContext before = MemoryContextSwitchTo(call->context);

	call->answer = NULL;
	call->tries++;
	call->tally->requests++;
	find_count(call->options->serverid)->requests++;
	if (call->tries > 1)
		call->tally->retries++;
	call->exchange = dnc_http_start(&call->http);
	MemoryContextSwitchTo(before);
}

/*
 * Start a request to a server, with the token in *options.  The call belongs
 * to the current memory context, and ends with it or by dnc_call_drop().
 * *options and *tally must outlive it; the request's strings need not.
 */
DncCall *
dnc_call_start(const DncOptions *options, const DncRequest *request, DncTally *tally)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw call",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	DncCall    *call = palloc0(sizeof(DncCall));

	call->context = context;
	call->options = options;
	call->request = *request;
	call->request.target = NULL;	/* not ours, and not needed any more */
	call->request.path = pstrdup(request->path);
	if (request->body)
	{
		char	   *body = MemoryContextAllocHuge(context, (Size) request->body_length + 1);

		memcpy(body, request->body, (size_t) request->body_length + 1);
		call->request.body = body;
	}
	call->tally = tally;
	call->http.method = request->method;
	call->http.url = psprintf("%s%s", options->base_url, request->target);
	call->http.headers = make_headers(options, request->body != NULL);
	call->http.body = call->request.body;
	call->http.body_length = request->body_length;
	call->http.connect_timeout = options->connect_timeout;
	call->http.timeout = options->request_timeout;
	call->http.max_response_size = options->max_response_size;
	call->http.ca_file = options->ca_file;
	call->http.once = !request->repeatable;
	INSTR_TIME_SET_CURRENT(call->start);
	send_try(call);
	MemoryContextSwitchTo(before);
	return call;
}

/* What a status means: RFC 9110 15, and DESIGN's table of retries. */
static Verdict
judge_status(const DncRequest *request, int status)
{
	if (status >= 200 && status < 300)
		return VERDICT_DONE;
	if (request->accepted_status != 0 && status == request->accepted_status)
		return VERDICT_DONE;
	switch (status)
	{
		case 408:
		case 429:
			return VERDICT_AGAIN;	/* it was not acted on */
		case 500:
		case 502:
		case 503:
		case 504:
			return request->repeatable ? VERDICT_AGAIN : VERDICT_FAILED;
		default:
			return VERDICT_FAILED;
	}
}

/*
 * What a try's end means.  A write that may have arrived is only repeated
 * where that is harmless.
 */
static Verdict
judge(DncCall *call)
{
	const DncHttpAnswer *answer = call->answer;

	/* What became of the first one is not known, whatever the answer says. */
	if (answer->resent)
		call->unclear = true;
	switch (answer->outcome)
	{
		case DNC_HTTP_ANSWERED:
			if (answer->status >= 500)
				call->unclear = true;
			return judge_status(&call->request, answer->status);
		case DNC_HTTP_NOT_CONNECTED:
			return VERDICT_AGAIN;
		case DNC_HTTP_BROKEN:
		case DNC_HTTP_TIMED_OUT:
		case DNC_HTTP_CUT_OFF:
			call->unclear = true;
			return call->request.repeatable ? VERDICT_AGAIN : VERDICT_FAILED;
		case DNC_HTTP_TOO_LARGE:
			call->unclear = true;
			return VERDICT_FAILED;
		case DNC_HTTP_NOT_TRUSTED:
			break;
	}
	return VERDICT_FAILED;
}

/*
 * Milliseconds to wait before the next try: what the remote asks, however long
 * that is, else backoff, up to max_wait.
 */
static double
delay_before_retry(DncCall *call)
{
	double		range = BACKOFF_BASE_MS * (double) (1 << Min(call->tries - 1, 10));

	if (call->answer->outcome == DNC_HTTP_ANSWERED && call->answer->retry_after > 0)
		return call->answer->retry_after;
	range = Min(range, Min(BACKOFF_CAP_MS, call->options->max_wait));
	return pg_prng_double(&pg_global_prng_state) * range;
}

/* Raise the error for a call that is given up. */
static void
give_up(DncCall *call, double asked_wait_ms)
{
	DncTries	tries = {.count = call->tries, .asked_wait_ms = asked_wait_ms};
	instr_time	passed;

	INSTR_TIME_SET_CURRENT(passed);
	INSTR_TIME_SUBTRACT(passed, call->start);
	tries.elapsed_ms = INSTR_TIME_GET_MILLISEC(passed);
	dnc_report_answer(call->options, call->answer, &tries);
}

/* Try until there is an answer that means success; else an error. */
static void
try_until_done(DncCall *call)
{
	for (;;)
	{
		Verdict		verdict;
		double		delay;

		call->answer = dnc_http_wait(call->exchange);
		call->tally->bytes_received += call->answer->length;
		verdict = judge(call);
		if (verdict == VERDICT_DONE)
			return;
		if (verdict == VERDICT_FAILED)
			give_up(call, 0);
		delay = delay_before_retry(call);
		if (delay > call->options->max_wait)
			give_up(call, delay);
		if (call->tries > call->options->max_retries)
			give_up(call, 0);

		dnc_http_drop(call->exchange);
		call->exchange = NULL;
		call->answer = NULL;
		dnc_http_sleep(delay);
		call->tally->wait_ms += delay;
		send_try(call);
	}
}

/* errcontext and memory for what is done about a call. */
static void
enter_call(DncCall *call, ErrorContextCallback *context)
{
	context->callback = describe_call;
	context->arg = call;
	context->previous = error_context_stack;
	error_context_stack = context;
}

/*
 * Wait until a call has been answered with success (2xx), or accepted_status.
 * Raises the errors of DESIGN section 5 otherwise.  Interrupts are served.
 */
void
dnc_call_wait(DncCall *call)
{
	ErrorContextCallback context;
	MemoryContext before = MemoryContextSwitchTo(call->context);

	enter_call(call, &context);
	try_until_done(call);
	error_context_stack = context.previous;
	MemoryContextSwitchTo(before);
}

/*
 * Would dnc_call_wait() return at once, or go on with another try?  Does not
 * wait.
 */
bool
dnc_call_ready(DncCall *call)
{
	return dnc_http_ready(call->exchange);
}

/* Wait until one of several calls is ready.  Interrupts are served. */
void
dnc_call_wait_any(DncCall **calls, int count)
{
	DncHttpExchange **exchanges = palloc(sizeof(DncHttpExchange *) * count);

	for (int i = 0; i < count; i++)
		exchanges[i] = calls[i]->exchange;
	dnc_http_wait_any(exchanges, count);
	pfree(exchanges);
}

/* The status of a call that was waited for. */
int
dnc_call_status(const DncCall *call)
{
	return call->answer->status;
}

/* Raise the error that the status of a call means, although it was accepted. */
void
dnc_call_fail(DncCall *call)
{
	ErrorContextCallback context;

	MemoryContextSwitchTo(call->context);
	enter_call(call, &context);
	give_up(call, 0);
	pg_unreachable();
}

/*
 * The answer's body as a tree, which lives as long as the call.  Raises 08P01
 * where it is not JSON, or says itself that the request failed.
 */
const DncJson *
dnc_call_json(DncCall *call)
{
	const DncOptions *options = call->options;
	MemoryContext before = MemoryContextSwitchTo(call->context);
	const char *problem;
	const DncJson *tree = dnc_json_parse(call->answer->body, call->answer->length, &problem);
	const DncJson *success;

	if (tree == NULL)
		dnc_report_contract(options, "%s HTTP status %d, content type %s, %zu bytes.", problem,
							call->answer->status,
							call->answer->content_type
							? dnc_report_remote_text(options, call->answer->content_type)
							: "unknown",
							call->answer->length);
	if (options->provider->success)
	{
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
	}
	MemoryContextSwitchTo(before);
	return tree;
}

/* The answer's body as it came, which lives as long as the call. */
const char *
dnc_call_body(DncCall *call, size_t *length)
{
	*length = call->answer->length;
	return call->answer->body;
}

/*
 * May the remote have acted on a call that ended in an error?  So it may where
 * no whole answer came, and where the answer was success but contradicts itself.
 */
bool
dnc_call_unclear(const DncCall *call)
{
	if (call->unclear || call->exchange == NULL)
		return call->unclear;
	return call->answer == NULL || (call->answer->status >= 200 && call->answer->status < 300);
}

/*
 * Wait for the answer to the try that is under way, and no further; true: it was
 * success.  For the time after an error, when there is no more to be done than
 * to know.
 */
bool
dnc_call_settle(DncCall *call)
{
	if (call->exchange == NULL)
		return false;
	call->answer = dnc_http_wait(call->exchange);
	return judge(call) == VERDICT_DONE;
}

/* End a call, answered or not, and free what it holds. */
void
dnc_call_drop(DncCall *call)
{
	MemoryContextDelete(call->context);
}
