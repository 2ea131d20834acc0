/*-------------------------------------------------------------------------
 *
 * commit.c
 *		Pending writes on their way to the servers: at COMMIT, or at once.
 *
 * We check the limits, then send the additions, server by server, and then the removals.  So
 * nobody is taken off a list while an addition can still fail.  If the sending fails, the local
 * transaction aborts.  The remote keeps the writes that it has taken by then, so the error counts
 * them.
 *
 * send.c gives us outcomes, and commit_report.c makes the error of them.  After the first failure
 * we begin no further request.  We wait for the requests under way, so that the counts are exact;
 * a cancel ends that wait too.
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
#include "write/settle.h"

/* The sending under way; NULL: none. */
static DncCommit *sending = NULL;

static DncBeforeSending before_sending = NULL;
static DncAfterSending after_sending = NULL;

/* For _PG_init(): functions of other modules to call before and after the sending. */
void
dnc_commit_register(DncBeforeSending before, DncAfterSending after)
{
	before_sending = before;
	after_sending = after;
}

/* ----- the writes to send ----- */

/* How far the sending to a server has got. */
static DncCommitServer *
progress_of_server(DncCommit *progress, Oid serverid)
{
	DncCommitServer *server = progress->servers;

	while (server->server->serverid != serverid)
		server++;
	return server;
}

/*
 * Sort the writes of an account that have to be sent by server and action, each in their order.
 * target: only the writes to it; NULL: all.
 */
static void
gather_writes(DncCommit *progress, DncPending *pending, const DncTarget *target)
{
	dnc_settle_mark_overtaken(pending);
	for (int i = 0; i < pending->count; i++)
	{
		DncWrite   *write = pending->writes[i];
		DncCommitServer *server = progress_of_server(progress, write->target->options->serverid);
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
 * Gather the writes of some accounts that have to be sent, at once or at COMMIT, in
 * progress->context.  Raises an error where a limit or before_sending does not allow them.
 */
static void
prepare(DncCommit *progress, DncServerWrites *servers, const DncAccountWrites *accounts,
		const DncTarget *target)
{
	int			write_mode = progress->at_once ? DNC_WRITE_IMMEDIATE : DNC_WRITE_COMMIT;
	int			nservers = 0;

	for (DncServerWrites *server = servers; server; server = server->next)
		nservers++;
	progress->servers = MemoryContextAllocZero(progress->context,
											   sizeof(DncCommitServer) * Max(nservers, 1));
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
		const DncCommitServer *server = &progress->servers[i];

		dnc_limits_check(server->writes, server->all, server->server->taken[DNC_ACTION_REMOVE]);
	}
}

/* ----- the sending ----- */

/* The problem of an entry that is listed already, where ON CONFLICT DO NOTHING was not said. */
static DncProblem
listed_problem(const char *server_name)
{
	DncProblem	problem = {.sqlstate = ERRCODE_UNIQUE_VIOLATION};

	problem.message = psprintf("an entry is already on the list of server \"%s\"", server_name);
	problem.detail = "The API refuses to add what is listed.";
	problem.hint = "INSERT ... ON CONFLICT DO NOTHING leaves out what is listed.";
	return problem;
}

/* Stop the sending.  The first failure is kept, with its reason. */
static void
note_failure(DncCommit *progress, const DncProblem *problem, const char *request)
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

/* Was the entry of an addition listed already, and does its statement not allow that? */
static bool
is_conflict(const DncSent *sent)
{
	return sent->outcome == DNC_OUTCOME_UNCHANGED && sent->writes[0]->action == DNC_ACTION_ADD &&
		!dnc_pending_of(sent->writes[0])->skip_listed;
}

/* Keep an acknowledged request for after_sending. */
static void
keep_acknowledged(DncCommit *progress, const DncSent *sent)
{
	DncCommitServer *server = progress->server;

	if (server->acknowledged == NULL)
	{
		int64		most = 0;

		for (int action = 0; action < DNC_NACTIONS; action++)
			most += dnc_send_requests(server->writes[action], server->all[action]);
		server->acknowledged = MemoryContextAllocHuge(progress->context,
													  sizeof(DncAcknowledged) * most);
	}
	server->acknowledged[server->nacknowledged++] = (DncAcknowledged) {
		.writes = sent->writes,.count = sent->count,
		.unchanged = sent->outcome == DNC_OUTCOME_UNCHANGED,.status = sent->status,
		.requested = sent->incomplete ? 0 : sent->requested,.answered = sent->answered
	};
}

/* Take in the outcome of a request. */
static void
take_outcome(DncCommit *progress, const DncSent *sent)
{
	int			action = sent->writes[0]->action;
	bool		conflict = is_conflict(sent);

	if (sent->outcome == DNC_OUTCOME_UNCLEAR || (conflict && sent->unclear_before))
	{
		progress->unclear.requests++;
		progress->unclear.writes += sent->count;
	}
	else if (sent->skipped > 0 && sent->unclear_before)
	{
		progress->unclear.requests++;
		progress->unclear.writes += sent->skipped;
	}
	if (conflict)
	{
		DncProblem	problem = listed_problem(progress->server->server->server_name);

		note_failure(progress, &problem, NULL);
	}
	else if (sent->outcome == DNC_OUTCOME_TAKEN || sent->outcome == DNC_OUTCOME_UNCHANGED)
	{
		/* One removal may take an entry of each type. */
		int64		taken = Min(sent->changed, sent->count);

		keep_acknowledged(progress, sent);
		progress->changed += sent->changed;
		progress->server->skipped += sent->skipped;
		progress->server->taken[action] += taken;
		if (progress->at_once)
			progress->server->server->taken[action] += taken;
	}
	else if (sent->problem.message)
		note_failure(progress, &sent->problem, sent->context);
}

/* Take in outcomes until there are no more. */
static void
take_outcomes(DncCommit *progress)
{
	DncSent		sent;

	while (dnc_send_next(progress->send, &sent))
		take_outcome(progress, &sent);
}

/* Show the sending to a server in dnc_fdw_progress, with the table if all writes are to one. */
static DncProgress *
show_progress(const DncCommit *progress, const DncCommitServer *server, DncAction action)
{
	DncWrite  **writes = server->writes[action];
	int			all = server->all[action];
	Oid			relid = writes[0]->target->relid;

	for (int i = 1; i < all && OidIsValid(relid); i++)
	{
		if (writes[i]->target->relid != relid)
			relid = InvalidOid;
	}
	return dnc_progress_begin(progress->at_once ? "write" : "commit",
							  writes[0]->target->options, relid, all);
}

/* Send the additions or removals that go to one server. */
static void
send_to_server(DncCommit *progress, DncCommitServer *server, DncAction action)
{
	MemoryContext context = AllocSetContextCreate(progress->context, "dnc_fdw send",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);

	progress->server = server;
	progress->send = dnc_send_begin(server->writes[action], server->all[action],
									dnc_max_requests_of_statement(dnc_commit_options(server)),
									show_progress(progress, server, action));
	take_outcomes(progress);
	progress->send = NULL;
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	if (action == DNC_ACTION_ADD && server->skipped > 0)
		dnc_commit_report_skipped(server);
}

/* Hand the acknowledged requests to after_sending, server by server. */
static void
tell_acknowledged(const DncCommit *progress)
{
	for (int i = 0; i < progress->nservers && after_sending; i++)
	{
		const DncCommitServer *server = &progress->servers[i];

		if (server->nacknowledged > 0)
			after_sending(server->acknowledged, server->nacknowledged, progress->failed);
	}
}

/*
 * Send all additions, then all removals, until a request fails.  Then after_sending gets the
 * acknowledged requests, so that this transaction can record them.
 */
static void
send_to_servers(DncCommit *progress)
{
	for (int action = 0; action < DNC_NACTIONS; action++)
	{
		for (int i = 0; i < progress->nservers && !progress->failed; i++)
		{
			if (progress->servers[i].all[action] > 0)
				send_to_server(progress, &progress->servers[i], action);
		}
	}
	tell_acknowledged(progress);
}

/* Begin nothing more, and wait for the requests that are under way. */
static void
finish_under_way(DncCommit *progress)
{
	if (progress->send)
	{
		dnc_send_stop(progress->send);
		take_outcomes(progress);
	}
}

/*
 * Run a step of the sending.  Gives back the error that the step threw, for the caller to throw
 * on with its counts; NULL: none.
 */
static ErrorData *
catch_thrown(DncCommit *progress, void (*step) (DncCommit *))
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
 * Send the prepared writes, and raise an error with counts unless all were taken.  A cancel ends
 * the sending at once.  After any other error that is thrown we wait for the requests under way,
 * and a cancel ends that wait too.
 */
static void
send_or_explain(DncCommit *progress)
{
	MemoryContext before = MemoryContextSwitchTo(progress->context);
	ErrorData  *error;

	sending = progress;
	error = catch_thrown(progress, send_to_servers);
	if (error && error->sqlerrcode != ERRCODE_QUERY_CANCELED)
	{
		ErrorData  *later = catch_thrown(progress, finish_under_way);

		if (later && later->sqlerrcode == ERRCODE_QUERY_CANCELED)
			error = later;
	}
	sending = NULL;
	if (error)
		dnc_commit_report_thrown(progress, error);
	if (progress->failed)
		dnc_commit_report_failure(progress);
	MemoryContextSwitchTo(before);
}

/*
 * The transaction, or a subtransaction, is rolled back.  If that cuts off the sending, the counts
 * go to the server's log.
 */
void
dnc_commit_log_cut_off(void)
{
	DncCommit  *progress = sending;

	sending = NULL;
	if (progress)
		dnc_commit_report_cut_off(progress);
}

/* ----- at COMMIT, and at once ----- */

/*
 * Send the pending writes, when all else of the transaction is done.  Our memory comes from
 * context, which must last until the transaction ends.  Raises 54000 before anything is sent
 * where max_deletes or max_requests is exceeded, 23505 where the API refuses to add a listed
 * entry, and the problems of remote_error.c.
 *
 * PostgreSQL has disarmed statement_timeout by now, so we arm it for the sending.  After an error
 * PostgreSQL disarms all timeouts by itself.
 */
void
dnc_commit_send_all(DncServerWrites *servers, DncAccountWrites *accounts, MemoryContext context)
{
	DncCommit  *progress = MemoryContextAllocZero(context, sizeof(DncCommit));
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
 * Send the writes that wait for the end of a statement, and forget them.  target: only the writes
 * to it; NULL: all.  server->taken counts them as they are taken.  Gives back how many entries
 * were added to lists or removed from them, as far as the APIs tell.  Raises the errors of
 * dnc_commit_send_all().
 */
int64
dnc_commit_send_now(DncServerWrites *servers, DncAccountWrites *accounts, const DncTarget *target)
{
	/* If the session is terminated, this has to outlive the statement: dnc_commit_log_cut_off(). */
	MemoryContext context = AllocSetContextCreate(CurTransactionContext, "dnc_fdw send now",
												  ALLOCSET_SMALL_SIZES);
	DncCommit  *progress = MemoryContextAllocZero(context, sizeof(DncCommit));
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
