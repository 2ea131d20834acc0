/*-------------------------------------------------------------------------
 *
 * claim.c
 *		The writes of the queue that are due, taken to be sent.
 *
 * A round takes writes of one action to one target.  The oldest write that is due decides which.
 * All additions that are due go before the first removal.
 *
 * A removal must not take a person who was added after its statement looked.  So we drop the
 * removal if an addition of the same person, in any state, is not visible in the statement's
 * snapshot.  If an addition is visible but not sent yet, the removal waits for it.  Only one
 * session sends for an account, so an addition that commits after our look is sent after the
 * removal.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "foreign/foreign.h"
#include "queue/claim.h"
#include "queue/forget.h"
#include "queue/guard.h"
#include "queue/held.h"
#include "queue/statements.h"
#include "queue/table.h"

/* If a write has been tried more often than this, we send it alone. */
#define FAILURES_TOGETHER 3

/*
 * If an API takes one entry a request, we claim this many writes at a time for each request that
 * may be under way.
 */
#define ROUNDS_AT_ONCE 4

#define IS_DUE \
	DNC_QUEUE_IS_OURS " AND " DNC_QUEUE_IS_OF_SERVER " AND w.action = $7 AND w.state = 'waiting' " \
	"AND " DNC_QUEUE_IS_TIME("w")

/*
 * Does an addition of the same person or the same transaction wait, which we have to send before
 * removal w?  A transaction may have many removals, so the index by transaction has additions only.
 */
#define IS_BLOCKED \
	"(EXISTS (SELECT FROM " DNC_QUEUE_WAITING " a WHERE a.action = 'add' AND " \
	"a.state IN ('waiting', 'sending') AND " DNC_QUEUE_SAME_PERSON("a", "w") " AND " \
	DNC_QUEUE_SAME_LIST ") OR " \
	"EXISTS (SELECT FROM " DNC_QUEUE_WAITING " a WHERE " \
	"CASE WHEN a.action = 'add' THEN a.xid END = w.xid AND " \
	"a.state IN ('waiting', 'sending') AND (a.instance = w.instance) IS TRUE))"

/*
 * Is row w one of ours that meets a condition, and that no other session has locked?  A transaction
 * that stays open for long must not hold up the writes of all others.
 */
#define NOT_LOCKED(condition) \
	"w.instance = $1 AND w.id = ANY (ARRAY(SELECT w.id FROM " DNC_QUEUE_WAITING " w WHERE " \
	"w.instance = $1 AND " condition " FOR UPDATE SKIP LOCKED))"

#define MAY_GO_NOW "(w.action = 'add' OR NOT (" IS_BLOCKED " OR " DNC_QUEUE_IS_SUPERSEDED "))"

/* Is the lane of row w neither paused nor backing off? */
#define LANE_IS_OPEN \
	"NOT EXISTS (SELECT FROM %1$s.dnc_fdw_queue_lanes l WHERE l.instance = $1 AND " \
	"l.server = $5 AND l.role = w.role AND " \
	"(l.paused_for IS NOT NULL OR NOT " DNC_QUEUE_LANE_IS_TIME("l") "))"

/* ----- before the first round ----- */

/*
 * Finish the removals of persons who were added later, since no claim takes them.  We only look at
 * removals that a round would take: if many wait for a vendor, looking at all takes seconds.
 */
static void
drop_superseded(Oid serverid)
{
	DncQueueArguments arguments = {0};

	dnc_queue_server_arguments(serverid, &arguments);
	(void) dnc_queue_run(DNC_QUEUE_FINISH(NOT_LOCKED(DNC_QUEUE_IS_OURS " AND " DNC_QUEUE_IS_OF_SERVER
													 " AND w.action = 'delete' AND w.state = 'waiting' AND "
													 DNC_QUEUE_IS_TIME("w") " AND " LANE_IS_OPEN
													 " AND " DNC_QUEUE_IS_SUPERSEDED),
										  "'superseded'", "'somebody has added this person later'"), &arguments);
}

/*
 * Prepare the queue of a server for a delivery; the caller has the server's lock.  Writes that a
 * dead sender has left as being sent wait again.  We forget finished writes that nobody needs,
 * finish overtaken removals, and forget the lanes of servers that were dropped.
 */
void
dnc_claim_recover(Oid serverid)
{
	DncQueueArguments arguments = {0};

	dnc_held_warn(serverid);
	dnc_queue_server_arguments(serverid, &arguments);
	(void) dnc_queue_run("UPDATE " DNC_QUEUE_WAITING " w SET state = 'waiting', unclear = true, "
						 "message = 'the session that sent this has ended before an answer came' "
						 "WHERE " NOT_LOCKED("w.database = $2 AND w.state = 'sending' AND "
											 DNC_QUEUE_IS_OF_SERVER), &arguments);
	(void) dnc_queue_run(DNC_QUEUE_ADVANCE_IDS, NULL);
	dnc_forget_finished(serverid);
	drop_superseded(serverid);
	(void) dnc_queue_run("DELETE FROM %1$s.dnc_fdw_queue_lanes l WHERE NOT EXISTS "
						 "(SELECT FROM pg_foreign_server s WHERE s.oid = l.server)", NULL);
}

/* ----- the target ----- */

/* The foreign table, or InvalidOid if it was dropped: then we use the server's options. */
static Oid
table_if_there(Oid relid)
{
	return SearchSysCacheExists1(FOREIGNTABLEREL, ObjectIdGetDatum(relid)) ? relid : InvalidOid;
}

/*
 * Make the target of a claim, in the current context.  False: that failed, and *problem says why.
 * We raise nothing but a cancel, since another lane may do well.
 */
static bool
make_target(DncClaim *claim, Oid relid, DncProblem *problem)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool made = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		claim->target = dnc_target_make(context, claim->lane.serverid, relid, claim->lane.role);
		ReleaseCurrentSubTransaction();
		made = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		*problem = (DncProblem) {.sqlstate = error->sqlerrcode, .message = error->message,
		.detail = error->detail, .hint = error->hint};
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return made;
}

/* ----- a round ----- */

/* Begin the arguments of IS_DUE. */
static void
due_arguments(const DncClaim *claim, DncQueueArguments *arguments)
{
	dnc_queue_server_arguments(claim->lane.serverid, arguments);
	dnc_queue_text_argument(arguments, claim->action == DNC_ACTION_ADD ? "add" : "delete");
}

/*
 * Find the oldest write that is due.  Gives its lane, its table, and how often it was tried.
 * False: no write is due.
 */
static bool
find_due(DncClaim *claim, Oid *relid, int *failures)
{
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	bool		found;

	due_arguments(claim, &arguments);
	dnc_queue_open(&query, "SELECT w.relation, w.role, w.attempts FROM " DNC_QUEUE_WAITING
				   " w WHERE " IS_DUE " AND " LANE_IS_OPEN " AND " MAY_GO_NOW
				   " ORDER BY w.id LIMIT 1 FOR UPDATE SKIP LOCKED", &arguments, false);
	found = query.count > 0;
	if (found)
	{
		*relid = DatumGetObjectId(dnc_queue_datum(&query, 0, 1));
		claim->lane.role = DatumGetObjectId(dnc_queue_datum(&query, 0, 2));
		*failures = DatumGetInt32(dnc_queue_datum(&query, 0, 3));
	}
	dnc_queue_close(&query);
	return found;
}

/* Begin the arguments of IS_DUE, and append a table as $8 and the lane's role as $9. */
static void
target_arguments(const DncClaim *claim, Oid relid, DncQueueArguments *arguments)
{
	due_arguments(claim, arguments);
	dnc_queue_argument(arguments, OIDOID, ObjectIdGetDatum(relid));
	dnc_queue_argument(arguments, OIDOID, ObjectIdGetDatum(claim->lane.role));
}

/*
 * Stop removals whose statement ran too long ago, since the person may have opted out again.  If the
 * statement ran in the future, a clock was set back, and we cannot tell.  Returns how many were
 * stopped.
 */
static uint64
expire_removals(const DncClaim *claim, Oid relid)
{
	DncQueueArguments arguments = {0};

	target_arguments(claim, relid, &arguments);
	dnc_queue_argument(&arguments, INT4OID, Int32GetDatum(claim->target->options->max_delete_age));
	return dnc_queue_run("UPDATE " DNC_QUEUE_WAITING " w SET state = 'dead', message = "
						 "'is older than max_delete_age, or a clock was set back: look at the list, and delete again' "
						 "WHERE " NOT_LOCKED(IS_DUE " AND w.relation = $8 AND w.role = $9 AND "
											 "coalesce(w.retried_at, w.seen_at) NOT BETWEEN "
											 "clock_timestamp() - $10 * interval '1 ms' AND "
											 "clock_timestamp() + interval '10 minutes'"), &arguments);
}

/*
 * Stop removals if their server now reaches another list than the list that their statement has
 * seen.  If the account is named after the server, renaming the server does not change the list.
 * Returns how many removals were stopped.
 */
static uint64
stop_misdirected(const DncClaim *claim, Oid relid)
{
	const DncOptions *options = claim->target->options;
	DncQueueArguments arguments = {0};

	target_arguments(claim, relid, &arguments);
	dnc_queue_text_argument(&arguments, dnc_queue_account(options));
	dnc_queue_text_argument(&arguments, dnc_queue_address(options));
	return dnc_queue_run("UPDATE " DNC_QUEUE_WAITING " w SET state = 'dead', message = "
						 "'the account, base_url or workspace_id was changed since: set it back, and call "
						 "dnc_fdw_queue_retry(); or look at the list, delete again, and discard this' "
						 "WHERE " NOT_LOCKED(IS_DUE " AND w.relation = $8 AND w.role = $9 AND (w.address <> $11 OR "
											 "(w.account <> $10 AND ($10 <> $6 OR "
											 "w.account <> concat(split_part(w.account, '/', 1), '/', w.server))))"),
						 &arguments);
}

/* The number of writes that a round may take. */
static int
round_size(const DncClaim *claim, int failures)
{
	const DncOptions *options = claim->target->options;
	int			batch = claim->action == DNC_ACTION_ADD ? options->batch_size
		: options->provider->remove.batch;

	if (failures > FAILURES_TOGETHER)
		return 1;
	return batch > 1 ? batch : options->max_concurrency * ROUNDS_AT_ONCE;
}

/* Make the write of a claimed row, in the current context. */
static DncWrite *
make_write(const DncClaim *claim, const DncQueueQuery *query, uint64 row)
{
	const DncProvider *provider = claim->target->options->provider;
	const DncWriteCall *call = claim->action == DNC_ACTION_ADD ? &provider->add
		: &provider->remove;
	const char *texts[DNC_NCOLUMNS] = {0};
	const char *values[DNC_MAX_MEMBERS] = {0};
	DncClaimedWrite *claimed;
	DncWrite   *write;

	for (int i = 0; i < DNC_QUEUE_NMEMBERS; i++)
		texts[dnc_queue_members[i].column] = dnc_queue_value(query, row, 4 + i);
	for (int i = 0; call->members[i].name; i++)
		values[i] = texts[call->members[i].column];
	write = dnc_write_make(CurrentMemoryContext, offsetof(DncClaimedWrite, write), claim->target,
						   claim->action, values);
	claimed = (DncClaimedWrite *) dnc_claimed_of(write);
	claimed->id = DatumGetInt64(dnc_queue_datum(query, row, 1));
	claimed->unclear = DatumGetBool(dnc_queue_datum(query, row, 2));
	claimed->requested = dnc_queue_time(query, row, 3);
	return write;
}

/*
 * Mark the writes of a round as being sent, and make them in context.  For a removal we store the
 * time of its first claim, which has_to_be_sent() in deliver.c needs even if this sender dies.
 */
static void
claim_rows(DncClaim *claim, Oid relid, int limit, MemoryContext context)
{
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	MemoryContext before;

	target_arguments(claim, relid, &arguments);
	dnc_queue_argument(&arguments, INT4OID, Int32GetDatum(limit));
	dnc_queue_open(&query, "WITH due AS (SELECT w.instance, w.id FROM " DNC_QUEUE_WAITING
				   " w WHERE " IS_DUE " AND w.relation = $8 AND w.role = $9 AND " MAY_GO_NOW
				   " ORDER BY w.id LIMIT $10 FOR UPDATE SKIP LOCKED), "
				   "claimed AS (UPDATE " DNC_QUEUE_WAITING " w SET state = 'sending', "
				   "attempts = attempts + 1, requested_at = CASE WHEN w.action = 'delete' THEN "
				   "coalesce(w.requested_at, CASE WHEN w.unclear THEN w.queued_at "
				   "ELSE clock_timestamp() END) END FROM due WHERE w.instance = due.instance AND "
				   "w.id = due.id RETURNING w.*) "
				   "SELECT id, unclear, requested_at, " DNC_QUEUE_MEMBERS " FROM claimed ORDER BY id", &arguments, false);
	before = MemoryContextSwitchTo(context);
	claim->writes = palloc(sizeof(DncWrite *) * Max(query.count, 1));
	claim->count = 0;
	for (uint64 i = 0; i < query.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		claim->writes[claim->count++] = make_write(claim, &query, i);
	}
	MemoryContextSwitchTo(before);
	dnc_queue_close(&query);
}

/*
 * Claim the writes of the next round.  We make them in the current context, which must outlive the
 * transaction.  The caller has to commit before it sends them.  If a claim has no writes, the
 * caller commits and asks again.  False: nothing is due, or other sessions keep us from claiming, or
 * the server has another account now than the one for which the caller has a lock, or a lane that
 * has to close is locked.
 */
bool
dnc_claim_next(Oid serverid, const char *account, DncClaim *claim)
{
	MemoryContext context = CurrentMemoryContext;
	DncProblem	problem = {0};
	uint64		dead = 0;
	Oid			relid;
	int			failures;

	memset(claim, 0, sizeof(DncClaim));
	claim->lane.serverid = serverid;
	claim->action = DNC_ACTION_ADD;
	if (!find_due(claim, &relid, &failures))
	{
		claim->action = DNC_ACTION_REMOVE;
		if (!find_due(claim, &relid, &failures))
		{
			drop_superseded(serverid);
			return false;
		}
	}
	claim->lane.version = dnc_lane_version(&claim->lane);
	if (!make_target(claim, table_if_there(relid), &problem))
	{
		/* The other causes may pass, or are mended in places of which a lane knows nothing. */
		return problem.sqlstate == ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION
			? dnc_lane_pause(&claim->lane, 0, &problem)
			: dnc_lane_back_off(&claim->lane, &(DncSent) {.problem = problem});
	}
	if (strcmp(dnc_queue_account(claim->target->options), account) != 0)
		return false;
	if (!dnc_queue_may_claim(claim->target->options, claim->action))
		return false;
	if (claim->action == DNC_ACTION_REMOVE)
		dead = expire_removals(claim, relid) + stop_misdirected(claim, relid);
	claim_rows(claim, relid, round_size(claim, failures), context);
	/* The claim has to be on disk before we send, whatever synchronous_commit its writer had. */
	ForceSyncCommit();
	/* If we got none, another session has locked them, or an addition has come in between. */
	return claim->count > 0 || dead > 0;
}
