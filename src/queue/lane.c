/*-------------------------------------------------------------------------
 *
 * lane.c
 *		The state of the sending for a server and role: on, backing off, paused.
 *
 * A lane has the writes that one role sends to one server.  If the vendor is out of order, or asks
 * us to wait, only the writes of that lane wait.  If the vendor refuses the token, we pause the
 * lane until somebody changes the user mapping or the server, or calls dnc_fdw_queue_resume().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/elog.h"
#include "utils/syscache.h"

#include "queue/lane.h"
#include "queue/table.h"

/* The backoff doubles with each failure in a row, up to this many seconds. */
#define BACKOFF_CAP "900"

/* A vendor may ask for no longer wait than this, in seconds; see DNC_QUEUE_LANE_IS_TIME. */
#define LONGEST_WAIT_S 86400

/* This installation.  If a publication copies all tables, we also have rows of other ones. */
#define INSTANCE "(SELECT i.instance FROM %1$s.dnc_fdw_instance i)"

/*
 * Change lane ($1, $2) by a SET clause.  We do not touch a lane that somebody has locked: we must not
 * wait for a transaction that stays open, and its dnc_fdw_queue_resume() opens the lane.
 */
#define UPDATE_LANE(set) \
	"UPDATE %1$s.dnc_fdw_queue_lanes l SET " set " WHERE l.instance = " INSTANCE " AND l.server = $1 AND " \
	"l.role = ANY (ARRAY(SELECT k.role FROM %1$s.dnc_fdw_queue_lanes k WHERE k.instance = " INSTANCE " AND " \
	"k.server = $1 AND k.role = $2 FOR UPDATE SKIP LOCKED))"

/* Store lane ($1, $2) with more columns, unless it is there. */
#define INSERT_LANE(columns, values) \
	"INSERT INTO %1$s.dnc_fdw_queue_lanes (instance, server, role, " columns ") " \
	"SELECT " INSTANCE ", $1, $2, " values " WHERE NOT EXISTS (SELECT FROM %1$s.dnc_fdw_queue_lanes k " \
	"WHERE k.instance = " INSTANCE " AND k.server = $1 AND k.role = $2) ON CONFLICT DO NOTHING"

/* Append the version of a catalog row: its transaction and its place. */
static void
append_version(StringInfo text, HeapTuple tuple)
{
	if (!HeapTupleIsValid(tuple))
		return;
	appendStringInfo(text, "/%u:%u", HeapTupleHeaderGetRawXmin(tuple->t_data),
					 ItemPointerGetBlockNumber(&tuple->t_self));
	appendStringInfo(text, ".%u", ItemPointerGetOffsetNumber(&tuple->t_self));
	ReleaseSysCache(tuple);
}

/*
 * A text that changes when somebody alters the server or the user mapping.  It reveals nothing of
 * their options.  palloc'd.
 */
char *
dnc_lane_version(const DncLane *lane)
{
	StringInfoData text;

	initStringInfo(&text);
	append_version(&text, SearchSysCache1(FOREIGNSERVEROID, ObjectIdGetDatum(lane->serverid)));
	append_version(&text, SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(lane->role),
										  ObjectIdGetDatum(lane->serverid)));
	append_version(&text, SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid),
										  ObjectIdGetDatum(lane->serverid)));
	return text.data;
}

/* Begin the arguments of a query with the lane. */
static void
lane_arguments(const DncLane *lane, DncQueueArguments *arguments)
{
	dnc_queue_argument(arguments, OIDOID, ObjectIdGetDatum(lane->serverid));
	dnc_queue_argument(arguments, OIDOID, ObjectIdGetDatum(lane->role));
}

/* Append an HTTP status; 0 is NULL. */
static void
status_argument(DncQueueArguments *arguments, int status)
{
	dnc_queue_argument(arguments, INT4OID, Int32GetDatum(status));
	if (status == 0)
		arguments->nulls[arguments->count - 1] = 'n';
}

/* Run UPDATE_LANE(), or INSERT_LANE() if the lane is not stored yet.  False: it is locked. */
static bool
set_lane(const char *update, const char *insert, const DncQueueArguments *arguments)
{
	return dnc_queue_run(update, arguments) > 0 || dnc_queue_run(insert, arguments) > 0;
}

/* A SQLSTATE as text; palloc'd. */
char *
dnc_lane_sqlstate(int sqlstate)
{
	return pstrdup(unpack_sql_state(sqlstate));
}

/* End the pause of a lane whose user mapping or server has been altered since. */
static void
wake(const DncLane *lane, const char *paused_for)
{
	DncQueueArguments arguments = {0};

	if (strcmp(dnc_lane_version(lane), paused_for) == 0)
		return;
	lane_arguments(lane, &arguments);
	(void) dnc_queue_run(UPDATE_LANE("paused_for = NULL, failures = 0, next_try = '-infinity'"), &arguments);
}

/* End the pauses of a server's lanes if somebody has changed the user mapping or the server. */
void
dnc_lane_wake_all(Oid serverid)
{
	DncQueueArguments arguments = {0};
	DncQueueQuery query;

	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(serverid));
	dnc_queue_open(&query, "SELECT role, paused_for FROM %1$s.dnc_fdw_queue_lanes "
				   "WHERE server = $1 AND instance = " INSTANCE " AND paused_for IS NOT NULL",
				   &arguments, false);
	for (uint64 i = 0; i < query.count; i++)
	{
		DncLane		lane = {.serverid = serverid,
		.role = DatumGetObjectId(dnc_queue_datum(&query, i, 1))};

		wake(&lane, dnc_queue_value(&query, i, 2));
	}
	dnc_queue_close(&query);
}

/* Record that the vendor has taken a request of this lane, and end its backoff. */
void
dnc_lane_succeeded(const DncLane *lane)
{
	DncQueueArguments arguments = {0};

	lane_arguments(lane, &arguments);
	(void) set_lane(UPDATE_LANE("last_success = clock_timestamp(), failures = 0, next_try = '-infinity', "
								"http_status = NULL, sqlstate = NULL, message = NULL"),
					INSERT_LANE("last_success", "clock_timestamp()"), &arguments);
}

/*
 * Pause a lane, since its token was refused or is missing: we send no more writes until somebody
 * changes that.  status is the HTTP status; 0: none.  False: somebody has locked the lane, and it is
 * not paused.
 */
bool
dnc_lane_pause(const DncLane *lane, int status, const DncProblem *problem)
{
	DncQueueArguments arguments = {0};

	lane_arguments(lane, &arguments);
	dnc_queue_text_argument(&arguments, lane->version ? lane->version : dnc_lane_version(lane));
	status_argument(&arguments, status);
	dnc_queue_text_argument(&arguments, dnc_lane_sqlstate(problem->sqlstate));
	dnc_queue_text_argument(&arguments, problem->message);
	return set_lane(UPDATE_LANE("paused_for = $3, http_status = $4, sqlstate = $5, message = $6"),
					INSERT_LANE("paused_for, http_status, sqlstate, message", "$3, $4, $5, $6"), &arguments);
}

/*
 * Try again later, since the vendor did not serve us, and not before the answer allows it.  False:
 * somebody has locked the lane, and it stays open.
 */
bool
dnc_lane_back_off(const DncLane *lane, const DncSent *sent)
{
	DncQueueArguments arguments = {0};

	lane_arguments(lane, &arguments);
	status_argument(&arguments, sent->status);
	dnc_queue_text_argument(&arguments, dnc_lane_sqlstate(sent->problem.sqlstate));
	dnc_queue_text_argument(&arguments, sent->problem.message);
	dnc_queue_argument(&arguments, FLOAT8OID,
					   Float8GetDatum(Min(Max(sent->retry_after_ms / 1000, 0), LONGEST_WAIT_S)));
	return set_lane(UPDATE_LANE("failures = l.failures + 1, next_try = clock_timestamp() + greatest($6, least("
								BACKOFF_CAP ", 2 ^ least(l.failures, 10)) * (0.5 + random() / 2)) * interval '1 s', "
								"http_status = $3, sqlstate = $4, message = $5"),
					INSERT_LANE("failures, next_try, http_status, sqlstate, message",
								"1, clock_timestamp() + greatest($6, 0.5 + random() / 2) * interval '1 s', $3, $4, $5"),
					&arguments);
}
