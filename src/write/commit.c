/*-------------------------------------------------------------------------
 *
 * commit.c
 *		Pending writes on their way to the servers: at COMMIT, or at once.
 *
 * After a look at the limits we send the additions, server by server, and then the
 * removals.  So nobody is taken off a list while an addition can still fail.  If the
 * sending fails, the local transaction aborts.  The remote cannot take back what it has
 * taken by then, so the error counts it.
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
#include "write/limits.h"
#include "write/send.h"
#include "write/settle.h"

/* How far the sending to one server has got. */
typedef struct ServerProgress
{
	DncServerWrites *server;
	DncWrite  **writes[DNC_NACTIONS];	/* to be sent; NULL: none */
	int			all[DNC_NACTIONS];	/* how many they are */
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

static DncBeforeSending before_sending = NULL;

/* For _PG_init(): what has to be done before writes are sent, elsewhere than here. */
void
dnc_commit_register(DncBeforeSending function)
{
	before_sending = function;
}

/* ----- what is to be sent ----- */

/* The options of what is sent to a server; NULL: nothing is. */
static const DncOptions *
options_of(const ServerProgress *server)
{
	for (int action = 0; action < DNC_NACTIONS; action++)
	{
		if (server->all[action] > 0)
			return server->writes[action][0]->target->options;
	}
	return NULL;
}

/* How far the sending to a server has got. */
static ServerProgress *
progress_of_server(Progress *progress, Oid serverid)
{
	ServerProgress *server = progress->servers;

	while (server->server->serverid != serverid)
		server++;
	return server;
}

/*
 * Sort what an account has to send by server and action; with a target only its writes.
 * The order is kept.
 */
static void
gather_writes(Progress *progress, DncPending *pending, const DncTarget *target)
{
	dnc_settle_mark_overtaken(pending);
	for (int i = 0; i < pending->count; i++)
	{
		DncWrite   *write = pending->writes[i];
		ServerProgress *server = progress_of_server(progress, write->target->options->serverid);
		int			action = write->action;

		if (dnc_pending_at(pending, i)->overtaken || (target && write->target != target))
			continue;
		if (server->writes[action] == NULL)
			server->writes[action] =
				MemoryContextAllocHuge(progress->context, sizeof(DncWrite *) * pending->count);
		server->writes[action][server->all[action]++] = write;
	}
}

/*
 * Find out what of some accounts has to be sent, at once or at COMMIT, and whether the
 * limits allow it.  progress->context holds what is needed for it.
 */
static void
prepare(Progress *progress, DncServerWrites *servers, const DncAccountWrites *accounts,
		const DncTarget *target)
{
	int			write_mode = progress->at_once ? DNC_WRITE_IMMEDIATE : DNC_WRITE_COMMIT;
	int			nservers = 0;

	for (DncServerWrites *server = servers; server; server = server->next)
		nservers++;
	progress->servers = MemoryContextAllocZero(progress->context,
											   sizeof(ServerProgress) * Max(nservers, 1));
	for (DncServerWrites *server = servers; server; server = server->next)
		progress->servers[progress->nservers++].server = server;
	for (const DncAccountWrites *account = accounts; account; account = account->next)
	{
		if (account->pending->count == 0 || account->write_mode != write_mode)
			continue;
		gather_writes(progress, account->pending, target);
		if (before_sending)
			before_sending(account->pending);
	}
	for (int i = 0; i < progress->nservers; i++)
	{
		const ServerProgress *server = &progress->servers[i];

		dnc_limits_check(server->writes, server->all, server->server->taken[DNC_ACTION_REMOVE]);
	}
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
			appendStringInfo(text, "%s%lld of %d %s", separator,
							 (long long) server->taken[action], server->all[action],
							 names[action]);
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
		if (options_of(&progress->servers[i]))
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
		const DncOptions *options = options_of(&progress->servers[i]);

		if (options && options->provider->add.unchanged_status != 0)
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

/* Send the additions or removals that go to one server. */
static void
send_to_server(Progress *progress, ServerProgress *server, DncAction action)
{
	MemoryContext context = AllocSetContextCreate(progress->context, "dnc_fdw send",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);

	progress->server = server;
	progress->send = dnc_send_begin(server->writes[action], server->all[action],
									dnc_max_requests_of_statement(options_of(server)));
	take_outcomes(progress);
	progress->send = NULL;
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
}

/* Send all additions, then all removals, until all is sent or something has failed. */
static void
send_to_servers(Progress *progress)
{
	for (int action = 0; action < DNC_NACTIONS; action++)
	{
		for (int i = 0; i < progress->nservers && !progress->failed; i++)
		{
			if (progress->servers[i].all[action] > 0)
				send_to_server(progress, &progress->servers[i], action);
		}
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
dnc_commit_send_all(DncServerWrites *servers, DncAccountWrites *accounts, MemoryContext context)
{
	Progress   *progress = MemoryContextAllocZero(context, sizeof(Progress));
	bool		armed = StatementTimeout > 0 && !get_timeout_active(STATEMENT_TIMEOUT);

	progress->context = context;
	if (armed)
		enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
	prepare(progress, servers, accounts, NULL);
	send_or_explain(progress);
	if (armed)
		disable_timeout(STATEMENT_TIMEOUT, false);
}

/*
 * Send what waits for the end of a statement, and forget it; with a target only what waits
 * there.  It is counted in server->taken as it is taken.  Gives back how many entries were
 * added to lists or removed from them, as far as the APIs tell.  Raises what
 * dnc_commit_send_all() does.
 */
int64
dnc_commit_send_now(DncServerWrites *servers, DncAccountWrites *accounts, const DncTarget *target)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw send now",
												  ALLOCSET_SMALL_SIZES);
	Progress   *progress = MemoryContextAllocZero(context, sizeof(Progress));
	int64		changed;

	progress->context = context;
	progress->at_once = true;
	prepare(progress, servers, accounts, target);
	send_or_explain(progress);
	changed = progress->changed;
	for (DncAccountWrites *account = accounts; account; account = account->next)
	{
		if (account->pending->count == 0 || account->write_mode != DNC_WRITE_IMMEDIATE)
			continue;
		if (target)
			dnc_pending_forget_target(account->pending, target);
		else
			dnc_pending_clear(account->pending);
	}
	MemoryContextDelete(context);
	return changed;
}
