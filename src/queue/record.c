/*-------------------------------------------------------------------------
 *
 * record.c
 *		The outcomes of writes that were sent.
 *
 * A write whose entry the vendor refuses is dead: trying again would not help, and somebody has
 * to look at it.  A removal is dead too if we cannot find out whether it was made.  Every other
 * write is tried again later.  An addition is never given up: even a dead one counts until
 * somebody discards it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "queue/acknowledged.h"
#include "queue/record.h"
#include "queue/statements.h"
#include "queue/table.h"

/* Was a request refused because of an entry?  Otherwise the vendor may refuse any request. */
static bool
is_of_entry(const DncSent *sent)
{
	switch (sent->status)
	{
		case 0:					/* we refused it: no request can carry the entry */
		case 400:
		case 409:
		case 413:
		case 414:
		case 422:
			return true;
		default:
			return false;
	}
}

/* The ids of a request's writes, as an array of bigint; palloc'd. */
static Datum
ids_of(const DncSent *sent)
{
	Datum	   *ids = palloc(sizeof(Datum) * Max(sent->count, 1));

	for (int i = 0; i < sent->count; i++)
		ids[i] = Int64GetDatum(dnc_claimed_of(sent->writes[i])->id);
	return PointerGetDatum(construct_array(ids, sent->count, INT8OID, sizeof(int64),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* Begin the arguments of a query: origin, ids, status, SQLSTATE and message. */
static void
sent_arguments(const DncSent *sent, const char *message, DncQueueArguments *arguments)
{
	dnc_queue_origin_arguments(arguments);
	dnc_queue_argument(arguments, INT8ARRAYOID, ids_of(sent));
	dnc_queue_argument(arguments, INT4OID, Int32GetDatum(sent->status));
	if (sent->status == 0)
		arguments->nulls[arguments->count - 1] = 'n';
	dnc_queue_text_argument(arguments, sent->problem.message
							? dnc_lane_sqlstate(sent->problem.sqlstate) : NULL);
	dnc_queue_text_argument(arguments, message);
}

/* The text of a problem, with its detail, palloc'd; NULL: there is no problem. */
static char *
words_of(const DncProblem *problem)
{
	if (problem->message == NULL)
		return NULL;
	return problem->detail ? psprintf("%s: %s", problem->message, problem->detail)
		: pstrdup(problem->message);
}

/*
 * Record that the vendor has made the writes, or had made them already.  If an earlier try of a
 * removal was unclear, that try may have removed the entry.  Then we keep the time of the first
 * request: the removal took nobody who was added after that.  A removal that may have left an entry
 * gets no time of a request, so it hides nobody.
 */
static void
record_done(const DncClaim *claim, const DncSent *sent)
{
	DncQueueArguments arguments = {0};
	TimestampTz done = claim->action == DNC_ACTION_ADD ? dnc_queue_added_at(claim->target->options, sent->answered)
		: sent->answered;

	sent_arguments(sent, dnc_queue_done_message(claim->action == DNC_ACTION_ADD,
										sent->outcome == DNC_OUTCOME_UNCHANGED),
				   &arguments);
	dnc_queue_time_argument(&arguments, sent->incomplete ? 0 : sent->requested);
	dnc_queue_argument(&arguments, TIMESTAMPTZOID, TimestampTzGetDatum(done));
	dnc_queue_text_argument(&arguments, dnc_queue_credential(claim->target->options));
	(void) dnc_queue_run(DNC_QUEUE_FINISH_AT("w.instance = $1 AND w.id = ANY ($5)", "'done'", "$6",
											 "NULL", "$8", "CASE WHEN action = 'delete' AND unclear AND $9 IS NOT NULL "
											 "THEN least(requested_at, $9) ELSE $9 END", "$10", "$11"), &arguments);
	dnc_lane_succeeded(&claim->lane);
}

/*
 * Record that the vendor will never take the writes as they are, or that we must not send them
 * again.  look: if an earlier try was unclear, dnc_fdw_queue_retry() has us look before we send.
 */
static void
record_dead(const DncSent *sent, const char *message, bool look)
{
	DncQueueArguments arguments = {0};

	sent_arguments(sent, message, &arguments);
	dnc_queue_argument(&arguments, BOOLOID, BoolGetDatum(look));
	(void) dnc_queue_run("UPDATE " DNC_QUEUE_WAITING " w SET state = 'dead', http_status = $6, "
						 "sqlstate = $7, message = $8, unclear = unclear AND $9 "
						 "WHERE w.instance = $1 AND w.id = ANY ($5)", &arguments);
}

/*
 * Record that the writes wait again.  counts: this was an attempt, so the writes wait for longer
 * each time; otherwise they may go at once.  We keep the time of the first request only if the
 * vendor may have taken this request or an earlier one.
 */
static void
record_waiting(const DncSent *sent, bool counts)
{
	DncQueueArguments arguments = {0};

	sent_arguments(sent, words_of(&sent->problem), &arguments);
	dnc_queue_argument(&arguments, BOOLOID, BoolGetDatum(counts));
	dnc_queue_argument(&arguments, BOOLOID, BoolGetDatum(sent->outcome == DNC_OUTCOME_UNCLEAR));
	(void) dnc_queue_run("UPDATE " DNC_QUEUE_WAITING " w SET state = 'waiting', "
						 "http_status = $6, sqlstate = $7, message = $8, "
						 "attempts = attempts - CASE WHEN $9 THEN 0 ELSE 1 END, "
						 "requested_at = CASE WHEN unclear OR $10 THEN requested_at END, "
						 "unclear = unclear OR $10, next_try = clock_timestamp() + CASE WHEN $9 "
						 "THEN least(900, 2 ^ least(attempts - 1, 10)) * (0.5 + random() / 2) "
						 "ELSE 0 END * interval '1 s' "
						 "WHERE w.instance = $1 AND w.id = ANY ($5)", &arguments);
}

/* Can one request tell whether an entry is on the list? */
bool
dnc_record_can_look_up(const DncProvider *provider)
{
	for (int i = 0; i < provider->nfilters; i++)
	{
		if (provider->filters[i].column == DNC_COL_IDENTIFIER)
			return true;
	}
	return false;
}

/*
 * Record that we do not know whether the vendor has acted.  We send an addition again, if needed
 * after a look.  We send a removal again only after a look, since the person may have come back.
 * If no look can tell, the removal is dead, and somebody has to decide: dnc_fdw_queue_retry() says
 * that the removal is meant.
 */
static DncRecorded
record_unclear(const DncClaim *claim, const DncSent *sent)
{
	bool		can_look = dnc_record_can_look_up(claim->target->options->provider);

	if (claim->action == DNC_ACTION_REMOVE && !can_look)
		record_dead(sent, psprintf("it is not known whether the entry was removed: look at the list, and delete again%s%s",
								   sent->problem.message ? "; " : "",
								   sent->problem.message ? words_of(&sent->problem) : ""), false);
	else if (claim->action == DNC_ACTION_REMOVE && dnc_claimed_of(sent->writes[0])->perhaps_new)
		record_dead(sent, "it is not known whether the entry was removed, and who is listed now may have been added since: look at the list; if the person is to be removed, delete again, and discard this", true);
	else
		record_waiting(sent, true);
	if (sent->problem.message == NULL)
		return DNC_RECORDED_GO_ON;
	(void) dnc_lane_back_off(&claim->lane, sent);
	return DNC_RECORDED_STOP;
}

/*
 * Record that the vendor has refused the writes.  If the sending was stopped, we have not looked
 * whether the entry was listed already, so the refusal is not final.
 */
static DncRecorded
record_refused(const DncClaim *claim, const DncSent *sent, bool stopped)
{
	if (sent->problem.sqlstate == ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION)
	{
		bool		paused = dnc_lane_pause(&claim->lane, sent->status, &sent->problem);

		/* Without a pause the writes themselves wait for longer each time. */
		record_waiting(sent, !paused);
		return DNC_RECORDED_STOP;
	}
	if (!is_of_entry(sent))
	{
		record_waiting(sent, true);
		if (sent->count == 1)
			return DNC_RECORDED_REFUSED;
		(void) dnc_lane_back_off(&claim->lane, sent);
		return DNC_RECORDED_STOP;
	}
	if (stopped)
	{
		record_waiting(sent, true);
		return DNC_RECORDED_GO_ON;
	}
	if (sent->count > 1)
		return DNC_RECORDED_HALVE;
	record_dead(sent, words_of(&sent->problem), true);
	return DNC_RECORDED_GO_ON;
}

/*
 * Record the outcome of a request of a round, and say what comes next.  stopped: the sending was
 * stopped before this request was over.  The caller commits, except after DNC_RECORDED_HALVE.
 */
DncRecorded
dnc_record_outcome(const DncClaim *claim, const DncSent *sent, bool stopped)
{
	switch (sent->outcome)
	{
		case DNC_OUTCOME_TAKEN:
		case DNC_OUTCOME_UNCHANGED:
			record_done(claim, sent);
			return DNC_RECORDED_GO_ON;
		case DNC_OUTCOME_REFUSED:
			return record_refused(claim, sent, stopped);
		case DNC_OUTCOME_UNCLEAR:
			return record_unclear(claim, sent);
		case DNC_OUTCOME_NOT_SENT:
			break;
	}
	record_waiting(sent, sent->problem.message != NULL);
	if (sent->problem.message == NULL)
		return DNC_RECORDED_GO_ON;	/* the sending stopped before its turn */
	(void) dnc_lane_back_off(&claim->lane, sent);
	return DNC_RECORDED_STOP;
}
