/*-------------------------------------------------------------------------
 *
 * commit.c
 *		Pending writes on their way to the servers: at COMMIT, or at once.
 *
 * What waits is sent server by server, after a look at the limits.  If the sending
 * fails, the local transaction aborts.  The remote cannot take back what it has taken by
 * then, so the error counts it.
 *
 * send.c gives us outcomes, and the error is made here.  The first failure stops the
 * sending; the requests that are under way by then are waited for, so that the counts are
 * exact.  A cancel ends that wait too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/timeout.h"

#include "request/max_requests.h"
#include "write/commit.h"
#include "write/send.h"

/* How far the sending to one server has got. */
typedef struct ServerProgress
{
	DncServerWrites *server;
	DncPending *pending;		/* what is sent: the transaction's or a statement's */
	int64		all[DNC_NACTIONS];	/* to be sent */
	int64		taken[DNC_NACTIONS];	/* of these */
} ServerProgress;

/* How far the sending has got. */
typedef struct Progress
{
	MemoryContext context;		/* holds what is needed until the end */
	bool		at_once;		/* before COMMIT */
	ServerProgress *servers;
	int			nservers;
	ServerProgress *server;		/* the one at hand */
	DncSend    *send;			/* to that one; NULL: nothing is being sent */
	int64		changed;
	DncUnclear	unclear;
	bool		failed;			/* the next two say how */
	DncProblem	problem;
	const char *request;		/* for CONTEXT; NULL: no request has failed as such */
} Progress;

/* ----- limits ----- */

/*
 * Refuse more removals from a server than max_deletes allows in a transaction,
 * of which some may have been sent before this.
 */
static void
allow_removals(const DncOptions *options, int64 more, int64 taken)
{
	if (more + taken <= options->max_deletes)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("too many deletions from server \"%s\" in one transaction",
					options->server_name),
			 taken > 0
			 ? errdetail("There are %lld, %lld of them sent by earlier statements, and max_deletes is %d. None of the others was sent.",
						 (long long) (more + taken), (long long) taken, options->max_deletes)
			 : errdetail("There are %lld, and max_deletes is %d. None of them was sent.",
						 (long long) more, options->max_deletes),
			 errhint("If all of these are to be contacted again, raise max_deletes with ALTER SERVER or ALTER FOREIGN TABLE.")));
}

/*
 * Check max_deletes.  If several tables of the server are deleted from, their strictest
 * limit counts.
 */
static void
check_max_deletes(const ServerProgress *server)
{
	const DncPending *pending = server->pending;
	const DncOptions *strictest = NULL;

	for (int i = 0; i < pending->count; i++)
	{
		const DncWrite *write = pending->writes[i];
		const DncOptions *options = write->target->options;

		if (write->action == DNC_ACTION_REMOVE && options->max_deletes > 0 &&
			(strictest == NULL || options->max_deletes < strictest->max_deletes))
			strictest = options;
	}
	if (strictest)
		allow_removals(strictest, server->all[DNC_ACTION_REMOVE],
					   server->server->taken[DNC_ACTION_REMOVE]);
}

/* The budget that the requests for some writes are charged to; NULL where there are none. */
static DncBudget *
statement_budget(const DncPending *pending)
{
	return pending->count == 0 ? NULL
		: dnc_max_requests_of_statement(pending->writes[0]->target->options);
}

/* Refuse writes that take more requests than max_requests allows. */
static void
check_max_requests(const DncPending *pending)
{
	int64		requests = dnc_send_requests(pending->writes, pending->count);

	if (requests > 0)
		dnc_max_requests_require(statement_budget(pending), pending->writes[0]->target->options,
								 requests);
}

/* Find out what has to be sent to a server, and whether the limits allow it. */
static void
prepare_server(ServerProgress *server, DncServerWrites *writes, DncPending *pending)
{
	server->server = writes;
	server->pending = pending;
	dnc_pending_leave_out_overtaken(pending);
	for (int i = 0; i < pending->count; i++)
		server->all[pending->writes[i]->action]++;
	check_max_deletes(server);
	check_max_requests(pending);
}

/* ----- the error ----- */

/* Append what became of the writes to a server. */
static void
append_progress(StringInfo text, const ServerProgress *server, bool at_once)
{
	const char *const names[] = {[DNC_ACTION_ADD] = "additions",[DNC_ACTION_REMOVE] = "deletions"};
	const char *separator = " had taken ";

	appendStringInfo(text, "%sServer \"%s\"", text->len > 0 ? " " : "",
					 server->server->server_name);
	for (int action = 0; action < DNC_NACTIONS; action++)
	{
		int64		taken = server->server->taken[action];

		if (at_once && server->all[action] + taken > 0)
			appendStringInfo(text, "%s%lld %s", separator, (long long) taken, names[action]);
		else if (!at_once && server->all[action] > 0)
			appendStringInfo(text, "%s%lld of %lld %s", separator,
							 (long long) server->taken[action],
							 (long long) server->all[action], names[action]);
		else
			continue;
		separator = " and ";
	}
	appendStringInfoString(text, at_once ? " of this transaction by then." : ".");
}

/* The error's own DETAIL (may be NULL), and what had been taken before it; palloc'd. */
static char *
explain_progress(const Progress *progress, const char *detail)
{
	const DncUnclear *unclear = &progress->unclear;
	StringInfoData text;

	initStringInfo(&text);
	if (detail)
		appendStringInfoString(&text, detail);
	for (int i = 0; i < progress->nservers; i++)
	{
		if (progress->servers[i].pending->count > 0)
			append_progress(&text, &progress->servers[i], progress->at_once);
	}
	if (unclear->requests == 1)
		appendStringInfo(&text, " Whether the last request, with %lld of them, was taken is not known.",
						 (long long) unclear->writes);
	else if (unclear->requests > 1)
		appendStringInfo(&text, " Whether the last %d requests, with %lld of them, were taken is not known.",
						 unclear->requests, (long long) unclear->writes);
	return text.data;
}

/* Is there a server among them that refuses to add what is listed? */
static bool
refuses_listed(const Progress *progress)
{
	for (int i = 0; i < progress->nservers; i++)
	{
		const DncPending *pending = progress->servers[i].pending;

		if (pending->count > 0 &&
			pending->writes[0]->target->options->provider->add.unchanged_status != 0)
			return true;
	}
	return false;
}

/* The error's own HINT (may be NULL), and what to do about the rest; palloc'd. */
static char *
explain_remedy(const Progress *progress, const char *hint)
{
	return psprintf("%s%sThe local transaction is rolled back; what the remote has taken is not. %s",
					hint ? hint : "", hint ? " " : "",
					refuses_listed(progress)
					? "Adding an entry again with INSERT ... ON CONFLICT DO NOTHING is harmless."
					: "Adding an entry again is harmless.");
}

/* Raise the error that the first failure is. */
static void
raise_failure(const Progress *progress)
{
	const DncProblem *problem = &progress->problem;

	ereport(ERROR,
			(errcode(problem->sqlstate),
			 errmsg_internal("%s", problem->message),
			 errdetail_internal("%s", explain_progress(progress, problem->detail)),
			 errhint("%s", explain_remedy(progress, problem->hint)),
			 progress->request ? errcontext("%s", progress->request) : 0));
}

/*
 * Raise an error that was thrown while sending, an interrupt for example.  If a failure
 * came before it, we say so: the user has to know both.
 */
static void
raise_thrown(Progress *progress, ErrorData *error)
{
	const char *detail = error->detail;

	if (progress->send)
	{
		dnc_send_stop(progress->send);
		dnc_send_count_unclear(progress->send, &progress->unclear);
	}
	if (progress->failed)
		detail = psprintf("%s%sThe sending had failed before: %s.", detail ? detail : "",
						  detail ? " " : "", progress->problem.message);
	error->detail = explain_progress(progress, detail);
	error->hint = explain_remedy(progress, error->hint);
	ReThrowError(error);
}

/* ----- the sending ----- */

/* The API does not add what is listed, and ON CONFLICT DO NOTHING was not said. */
static DncProblem
listed_problem(const char *server_name)
{
	DncProblem	problem = {.sqlstate = ERRCODE_UNIQUE_VIOLATION};

	problem.message = psprintf("an entry is already on the list of server \"%s\"", server_name);
	problem.detail = "The API refuses to add what is listed.";
	problem.hint = "INSERT ... ON CONFLICT DO NOTHING leaves out what is listed.";
	return problem;
}

/* Stop the sending, and keep why if this is the first failure. */
static void
note_failure(Progress *progress, const DncProblem *problem, const char *request)
{
	MemoryContext before = MemoryContextSwitchTo(progress->context);

	dnc_send_stop(progress->send);
	if (!progress->failed)
	{
		progress->failed = true;
		progress->problem.sqlstate = problem->sqlstate;
		progress->problem.message = pstrdup(problem->message);
		progress->problem.detail = problem->detail ? pstrdup(problem->detail) : NULL;
		progress->problem.hint = problem->hint ? pstrdup(problem->hint) : NULL;
		progress->request = request ? pstrdup(request) : NULL;
	}
	MemoryContextSwitchTo(before);
}

/* Was an addition answered with "listed already", which its statement does not allow? */
static bool
is_conflict(const DncSent *sent)
{
	return sent->outcome == DNC_OUTCOME_UNCHANGED && sent->writes[0]->action == DNC_ACTION_ADD &&
		!dnc_pending_of(sent->writes[0])->skip_listed;
}

/* Take in the outcome of a request. */
static void
take_outcome(Progress *progress, const DncSent *sent)
{
	int			action = sent->writes[0]->action;
	bool		conflict = is_conflict(sent);

	if (sent->outcome == DNC_OUTCOME_UNCLEAR || (conflict && sent->unclear_before))
	{
		progress->unclear.requests++;
		progress->unclear.writes += sent->count;
	}
	if (conflict)
	{
		DncProblem	problem = listed_problem(progress->server->server->server_name);

		note_failure(progress, &problem, NULL);
	}
	else if (sent->outcome == DNC_OUTCOME_TAKEN || sent->outcome == DNC_OUTCOME_UNCHANGED)
	{
		progress->changed += sent->changed;
		progress->server->taken[action] += sent->count;
		if (progress->at_once)
			progress->server->server->taken[action] += sent->count;
	}
	else if (sent->problem.message)
		note_failure(progress, &sent->problem, sent->context);
}

/* Take in outcomes until there are no more. */
static void
take_outcomes(Progress *progress)
{
	DncSent		sent;

	while (dnc_send_next(progress->send, &sent))
		take_outcome(progress, &sent);
}

/* Send server by server, until all is sent or something has failed. */
static void
send_to_servers(Progress *progress)
{
	for (int i = 0; i < progress->nservers && !progress->failed; i++)
	{
		MemoryContext context = AllocSetContextCreate(progress->context, "dnc_fdw send",
													  ALLOCSET_SMALL_SIZES);
		MemoryContext before = MemoryContextSwitchTo(context);
		DncPending *pending = progress->servers[i].pending;

		progress->server = &progress->servers[i];
		progress->send = dnc_send_begin(pending->writes, pending->count,
										statement_budget(pending));
		take_outcomes(progress);
		progress->send = NULL;
		MemoryContextSwitchTo(before);
		MemoryContextDelete(context);
	}
}

/* Begin nothing more, and wait for the requests that are under way. */
static void
finish_under_way(Progress *progress)
{
	if (progress->send)
	{
		dnc_send_stop(progress->send);
		take_outcomes(progress);
	}
}

/*
 * Run a step of the sending.  Gives the error that it threw, for the caller to throw on
 * with its counts; NULL: none.
 */
static ErrorData *
catch_thrown(Progress *progress, void (*step) (Progress *))
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		step(progress);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(progress->context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	return error;
}

/*
 * Send what was prepared, and raise an error with counts unless all of it was taken.  An
 * interrupt ends it at once.  After any other error that is thrown we wait for the
 * requests under way, and an interrupt ends that too.
 */
static void
send_or_explain(Progress *progress)
{
	MemoryContext before = MemoryContextSwitchTo(progress->context);
	ErrorData  *error = catch_thrown(progress, send_to_servers);

	if (error && error->sqlerrcode != ERRCODE_QUERY_CANCELED)
	{
		ErrorData  *later = catch_thrown(progress, finish_under_way);

		if (later && later->sqlerrcode == ERRCODE_QUERY_CANCELED)
			error = later;
	}
	if (error)
		raise_thrown(progress, error);
	if (progress->failed)
		raise_failure(progress);
	MemoryContextSwitchTo(before);
}

/* ----- at COMMIT, and at once ----- */

/*
 * Send the pending writes, when all else of the transaction is done; what is needed for
 * it goes into context, which must last until the transaction ends.  Raises 54000 before
 * anything is sent where max_deletes or max_requests is exceeded, 23505 where the API
 * refuses to add what is listed, and the problems of remote_error.c.
 *
 * PostgreSQL has disarmed statement_timeout by now, so we arm it for this.  After an error
 * PostgreSQL disarms all timeouts by itself.
 */
void
dnc_commit_send_all(DncServerWrites *servers, MemoryContext context)
{
	Progress   *progress = MemoryContextAllocZero(context, sizeof(Progress));
	int			nservers = 0;
	bool		armed;

	for (DncServerWrites *server = servers; server; server = server->next)
		nservers++;
	progress->context = context;
	progress->servers = MemoryContextAllocZero(context, sizeof(ServerProgress) * nservers);
	armed = StatementTimeout > 0 && !get_timeout_active(STATEMENT_TIMEOUT);
	if (armed)
		enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
	for (DncServerWrites *server = servers; server; server = server->next)
		prepare_server(&progress->servers[progress->nservers++], server, server->pending);
	send_or_explain(progress);
	if (armed)
		disable_timeout(STATEMENT_TIMEOUT, false);
}

/*
 * Send a statement's writes at once, and empty their collection.  They are counted in
 * server->taken as they are taken.  Gives back how many entries were added to the list or
 * removed from it, as far as the API tells.  Raises what dnc_commit_send_all() does.
 */
int64
dnc_commit_send_now(DncServerWrites *server, DncPending *pending)
{
	MemoryContext context;
	Progress   *progress;
	int64		changed;

	if (pending->count == 0)
		return 0;
	context = AllocSetContextCreate(pending->context, "dnc_fdw send now", ALLOCSET_SMALL_SIZES);
	progress = MemoryContextAllocZero(context, sizeof(Progress));
	progress->context = context;
	progress->at_once = true;
	progress->servers = MemoryContextAllocZero(context, sizeof(ServerProgress));
	prepare_server(&progress->servers[progress->nservers++], server, pending);
	send_or_explain(progress);
	changed = progress->changed;
	dnc_pending_clear(pending);
	MemoryContextDelete(context);
	return changed;
}
