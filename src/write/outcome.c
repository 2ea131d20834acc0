/*-------------------------------------------------------------------------
 *
 * outcome.c
 *		The outcome of a request that writes.
 *
 * We believe no status by itself.  Success is only what the vendor documents as success.  An
 * entry is missing only if the vendor's own words say so: a gateway sends a 404, too.
 *
 * A removal that may have been taken is looked up before we send it again, where the second
 * request could take an entry that somebody has added since.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "write/listed.h"
#include "write/outcome.h"

/*
 * The allowance for clocks that are off.  An entry that is older than our request by more is the
 * entry that we have meant to remove, whatever the vendor's clock says.
 */
#define OLD_ENTRY_MS (10 * 60 * 1000)

/* The text of a request's CONTEXT; palloc'd. */
static char *
context_text(const DncOptions *options, const char *method, const char *path)
{
	return psprintf("request %s %s to server \"%s\"", method, path, options->server_name);
}

/* The text of a write request's CONTEXT. */
static char *
write_context(const DncRequestEnd *end)
{
	const DncWriteCall *call = dnc_write_call(end->writes[0]);

	return context_text(end->writes[0]->target->options, call->method, call->path);
}

/* The outcome of a call that was not answered with success. */
static DncOutcome
outcome_of_failure(const DncCall *call)
{
	if (dnc_call_unclear(call))
		return DNC_OUTCOME_UNCLEAR;
	return dnc_call_outcome(call) == DNC_CALL_NOT_TAKEN ? DNC_OUTCOME_NOT_SENT
		: DNC_OUTCOME_REFUSED;
}

/*
 * The entries of a request have gone from the list, after a try whose answer we do not have: they
 * count as removed.
 */
static void
judge_removed(const DncRequestEnd *end, DncSent *sent)
{
	sent->outcome = DNC_OUTCOME_TAKEN;
	sent->changed = end->count;
	memset(&sent->problem, 0, sizeof(DncProblem));
	sent->context = NULL;
}

/*
 * Was an entry there before our removal was first requested?  It was if it is older by more than
 * clocks may be off.  A younger entry may have been added since.
 */
bool
dnc_outcome_is_older(TimestampTz added, TimestampTz requested)
{
	return added < TimestampTzPlusMilliseconds(requested, -(int64) OLD_ENTRY_MS);
}

/*
 * A removal may have been taken.  Look: if the entry is not listed, the removal was taken.  True:
 * the entry that was meant is still listed, so the removal may be sent again.  An entry that is
 * younger than the request may have been added since, and stays.
 */
static bool
look_before_repeating(const DncRequestEnd *end, DncSent *sent)
{
	DncProblem	problem = {0};
	TimestampTz added = DT_NOEND;
	bool		listed;

	listed = dnc_listed(end->writes[0], end->budget, &problem, &added);
	if (problem.message)
		return false;			/* the first failure says more */
	if (!listed)
		judge_removed(end, sent);
	return listed && dnc_outcome_is_older(added, end->begun);
}

/* Judge a call that has failed.  True: it may be sent again. */
static bool
judge_failure(const DncRequestEnd *end, DncSent *sent)
{
	sent->outcome = outcome_of_failure(end->call);
	/* A call that was stopped before its next try has the rate limit as its problem. */
	if (end->stopped && dnc_call_answer(end->call)->http == NULL)
		memset(&sent->problem, 0, sizeof(DncProblem));
	else
		sent->context = write_context(end);
	return sent->outcome == DNC_OUTCOME_UNCLEAR && !end->stopped &&
		dnc_write_call(end->writes[0])->look_first && look_before_repeating(end, sent);
}

/*
 * The API has refused to add an entry, with a status that may mean that the entry is listed.  We
 * look, unless we were told to stop: then we call it a refusal.
 */
static void
judge_refused_addition(const DncRequestEnd *end, DncSent *sent)
{
	const DncWrite *write = end->writes[0];
	const DncOptions *options = write->target->options;
	DncProblem	problem = {0};

	if (!end->stopped && dnc_listed(write, end->budget, &problem, NULL))
	{
		sent->outcome = DNC_OUTCOME_UNCHANGED;
		sent->unclear_before = dnc_call_unclear(end->call);
		return;
	}
	sent->outcome = outcome_of_failure(end->call);
	if (problem.message)
	{
		sent->problem = problem;
		sent->context = context_text(options, "GET", options->provider->list.path);
		return;
	}
	sent->problem = dnc_call_refusal(end->call);
	sent->context = write_context(end);
}

/* The API, or somebody in front of it, says that an entry to be removed is not listed. */
static void
judge_missing(const DncRequestEnd *end, DncSent *sent)
{
	const DncOptions *options = end->writes[0]->target->options;

	if (!dnc_answer_is_own_error(dnc_call_answer(end->call)))
	{
		sent->outcome = DNC_OUTCOME_UNCLEAR;
		sent->problem =
			dnc_remote_error_breach(options, "The answer with HTTP status %d is not in the form of the API's errors, so the entry may be listed.",
									dnc_call_status(end->call));
		sent->context = write_context(end);
	}
	else if (dnc_call_unclear(end->call))
		judge_removed(end, sent);
	else
		sent->outcome = DNC_OUTCOME_UNCHANGED;
}

/*
 * How many entries the answer to a removal may count at most.  One removal may take an entry of
 * each type; its statement has meant them all.
 */
static int64
most_removed(const DncRequestEnd *end)
{
	const DncProvider *provider = end->writes[0]->target->options->provider;
	int64		types = 0;

	if (!dnc_provider_removes_by_part(provider, DNC_COL_IDENTIFIER_TYPE))
		return end->count;
	while (provider->identifier_types[types])
		types++;
	return end->count * types;
}

/*
 * Judge an answer of success, and find out how many entries it speaks of.  If it counts them, the
 * counts have to agree with what we sent; some removals may not have been on the list.
 */
static void
judge_success(const DncRequestEnd *end, DncSent *sent)
{
	const DncWrite *write = end->writes[0];
	const DncOptions *options = write->target->options;
	const DncWriteCall *call = dnc_write_call(write);
	const DncJson *answer;
	int64		sum = 0;

	sent->outcome = DNC_OUTCOME_UNCLEAR;
	sent->changed = end->count;
	if (options->provider->success == NULL)
	{
		if (dnc_answer_is_success(dnc_call_answer(end->call), &sent->problem))
			sent->outcome = DNC_OUTCOME_TAKEN;
		return;
	}
	answer = dnc_answer_read(dnc_call_answer(end->call), &sent->problem);
	if (answer == NULL)
		return;
	/* RFC 9110 15.3.3: 202 promises only that the write may be made some time. */
	if (dnc_call_status(end->call) > 201)
	{
		sent->problem =
			dnc_remote_error_breach(options, "The answer with HTTP status %d does not say that the write was made.",
									dnc_call_status(end->call));
		return;
	}
	for (size_t i = 0; i < lengthof(call->counts) && call->counts[i]; i++)
	{
		const DncJson *json = dnc_json_get(answer, call->counts[i]);
		int64		count = 0;

		if (json == NULL || !dnc_json_count(json, &count))
		{
			sent->problem =
				dnc_remote_error_breach(options, "The answer's \"%s\" is missing or not a whole number.",
										call->counts[i]);
			return;
		}
		sum += count;
		if (i == 0)
			sent->changed = count;
	}
	if (call->counts[0] &&
		(write->action == DNC_ACTION_ADD ? sum != end->count : sum > most_removed(end)))
	{
		sent->problem =
			dnc_remote_error_breach(options, "%d entries were sent, and the answer speaks of %lld.",
									end->count, (long long) sum);
		return;
	}
	sent->incomplete = write->action == DNC_ACTION_REMOVE && call->counts[0] && sum < end->count;
	sent->outcome = sent->incomplete && sum == 0 ? DNC_OUTCOME_UNCHANGED : DNC_OUTCOME_TAKEN;
	sent->skipped = write->action == DNC_ACTION_ADD ? end->count - sent->changed : 0;
	sent->unclear_before = sent->skipped > 0 && dnc_call_unclear(end->call);
}

/* Tell the outcome of a request that is over.  True: it may be sent again. */
bool
dnc_outcome_judge(const DncRequestEnd *end, DncSent *sent)
{
	const DncWrite *write = end->writes[0];

	memset(sent, 0, sizeof(DncSent));
	sent->writes = end->writes;
	sent->count = end->count;
	if (end->call == NULL)
	{
		sent->outcome = end->problem.message ? DNC_OUTCOME_REFUSED : DNC_OUTCOME_UNCLEAR;
		sent->problem = end->problem;
	}
	else if (dnc_call_problem(end->call, &sent->problem))
		return judge_failure(end, sent);
	else if (dnc_call_status(end->call) != dnc_write_call(write)->unchanged_status)
		judge_success(end, sent);
	else if (write->action == DNC_ACTION_ADD)
		judge_refused_addition(end, sent);
	else
		judge_missing(end, sent);
	return false;
}
