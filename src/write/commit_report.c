/*-------------------------------------------------------------------------
 *
 * commit_report.c
 *		The reports of the sending: errors with counts, warnings, the log.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "write/commit_report.h"

/* The options for the writes to a server; NULL: it gets none. */
const DncOptions *
dnc_commit_options(const DncCommitServer *server)
{
	for (int action = 0; action < DNC_NACTIONS; action++)
	{
		if (server->all[action] > 0)
			return server->writes[action][0]->target->options;
	}
	return NULL;
}

/* Append how many writes to a server were taken. */
static void
append_progress(StringInfo text, const DncCommitServer *server, bool at_once)
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

/* The error's own DETAIL, which may be NULL, and the counts of taken writes; palloc'd. */
static char *
explain_progress(const DncCommit *progress, const char *detail)
{
	const DncUnclear *unclear = &progress->unclear;
	StringInfoData text;

	initStringInfo(&text);
	if (detail)
		appendStringInfoString(&text, detail);
	for (int i = 0; i < progress->nservers; i++)
	{
		if (dnc_commit_options(&progress->servers[i]))
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

/* Does one of the servers refuse to add an entry that is listed? */
static bool
refuses_listed(const DncCommit *progress)
{
	for (int i = 0; i < progress->nservers; i++)
	{
		const DncOptions *options = dnc_commit_options(&progress->servers[i]);

		if (options && options->provider->add.unchanged_status != 0)
			return true;
	}
	return false;
}

/* The error's own HINT, which may be NULL, and how to go on after a part was sent; palloc'd. */
static char *
explain_remedy(const DncCommit *progress, const char *hint)
{
	return psprintf("%s%sThe local transaction is rolled back; what the remote has taken is not. %s",
					hint ? hint : "", hint ? " " : "",
					refuses_listed(progress)
					? "Adding an entry again with INSERT ... ON CONFLICT DO NOTHING is harmless."
					: "Adding an entry again is harmless.");
}

/* Raise the first failure as an error, with counts. */
void
dnc_commit_report_failure(const DncCommit *progress)
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
 * Raise an error that was thrown during the sending, a cancel for example.  If a request had
 * failed before, we say that too: the user has to know both.
 */
void
dnc_commit_report_thrown(DncCommit *progress, ErrorData *error)
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

/* Warn that an API has left out additions. */
void
dnc_commit_report_skipped(const DncCommitServer *server)
{
	ereport(WARNING,
			(errmsg("server \"%s\" has skipped %lld of %d additions", server->server->server_name,
					(long long) server->skipped, server->all[DNC_ACTION_ADD]),
			 errdetail("It says that they are listed already, perhaps as another type.  It does not say which they are."),
			 errhint("Look in the list for the entries with their types.")));
}

/*
 * The session is terminated while it sends.  No client is left to tell, so the server's log gets
 * the counts.
 */
void
dnc_commit_report_cut_off(DncCommit *progress)
{
	if (progress->send)
		dnc_send_count_unclear(progress->send, &progress->unclear);
	ereport(LOG,
			(errmsg("writes to Do-Not-Contact lists were cut off, since the session was terminated"),
			 errdetail_internal("%s", explain_progress(progress, NULL)),
			 errhint("%s", explain_remedy(progress, NULL))));
}
