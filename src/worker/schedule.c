/*-------------------------------------------------------------------------
 *
 * schedule.c
 *		The times of mirrors' refreshes: the table dnc_fdw_mirror_schedules.
 *
 * Each mirror may have a row.  Its owner makes the row by dnc_fdw_mirror_schedule(), and the
 * scheduler keeps the result of the last refresh in it.  We repeat a failed refresh, after a
 * longer time with each failure.  It holds up no other mirror.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "mirror/mirror.h"
#include "queue/table.h"
#include "worker/schedule.h"
#include "worker/wake.h"

#define SCHEDULES "%1$s.dnc_fdw_mirror_schedules"

/* The shortest and longest time between refreshes, in seconds: nobody means less or more. */
#define SHORTEST 1.0
#define LONGEST (366 * 86400.0)

/* After failures in a row a refresh waits for 1, 2, 4 ... seconds, up to this. */
#define BACKOFF_CAP "900"

/* ----- setting a schedule ----- */

/* An interval in seconds, about; an infinite interval is very long. */
static double
seconds_of(const Interval *interval)
{
	return interval->time / (double) USECS_PER_SEC + 86400.0 * interval->day +
		   30 * 86400.0 * interval->month;
}

/* Raise 22023 for a time between refreshes that makes no sense. */
static void
check_interval(const char *name, const Interval *interval)
{
	if (interval && (seconds_of(interval) < SHORTEST || seconds_of(interval) > LONGEST))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("invalid value for argument \"%s\"", name),
						errdetail("The time between two refreshes is from a second to a year.")));
}

/* Raise 22023 for times that make no sense, or do not fit together. */
static void
check_intervals(const DncScheduleRequest *request)
{
	check_interval("full_every", request->full_every);
	check_interval("delta_every", request->delta_every);
	if (request->delta_every &&
		(request->full_every == NULL ||
		 seconds_of(request->delta_every) >= seconds_of(request->full_every)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("delta_every must be shorter than full_every"),
				 errdetail("A refresh in mode 'delta' only adds to what a full one has found.")));
}

/* May a role log in?  False if there is no such role. */
static bool
can_log_in(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		can = false;

	if (HeapTupleIsValid(tuple))
	{
		can = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
		ReleaseSysCache(tuple);
	}
	return can;
}

/*
 * The reason why a role cannot refresh the mirror of a foreign table, palloc'd, with its
 * SQLSTATE; NULL: the role can.  The owner's triggers and expressions run as that role, so a
 * superuser may not refresh the mirrors of others.
 */
char *
dnc_schedule_objection(Oid source, Oid role, int *sqlstate)
{
	Oid			owner = dnc_queue_owner_of(source);
	char	   *name = GetUserNameFromId(role, true);

	*sqlstate = ERRCODE_INSUFFICIENT_PRIVILEGE;
	if (name == NULL)
	{
		*sqlstate = ERRCODE_UNDEFINED_OBJECT;
		return psprintf("role with OID %u does not exist", role);
	}
	if (!can_log_in(role))
	{
		*sqlstate = ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
		return psprintf("role \"%s\" is not permitted to log in", name);
	}
	if (!OidIsValid(owner) || !has_privs_of_role(role, owner))
		return psprintf(
			"role \"%s\" neither owns foreign table \"%s\" nor is a member of its owner", name,
			get_rel_name(source));
	if (superuser_arg(role) && !superuser_arg(owner))
		return psprintf("role \"%s\" is a superuser, and the owner of foreign table \"%s\" is not",
						name, get_rel_name(source));
	return NULL;
}

/*
 * Raise an error unless the caller may let a role refresh the mirror of a table.  The end of a
 * schedule needs no such role.
 */
static void
check_roles(const DncScheduleRequest *request)
{
	Oid			owner = dnc_queue_owner_of(request->source);
	int			sqlstate;
	char	   *objection;

	if (!OidIsValid(owner) || !has_privs_of_role(GetUserId(), owner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FOREIGN_TABLE, get_rel_name(request->source));
	if (request->full_every == NULL)
		return;
	objection = dnc_schedule_objection(request->source, request->run_as, &sqlstate);
	if (objection == NULL && !has_privs_of_role(GetUserId(), request->run_as))
		objection = psprintf("the caller is no member of role \"%s\"",
							 GetUserNameFromId(request->run_as, false));
	if (objection)
		ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("cannot have the mirror of foreign table \"%s\" refreshed by that role",
					get_rel_name(request->source)),
			 errdetail_internal("%s.", objection),
			 errhint(
				 "Give run_as a role that can log in, and that owns the foreign table or is a member of its owner.")));
}

/* Append an interval; NULL is NULL. */
static void
interval_argument(DncQueueArguments *arguments, const Interval *interval)
{
	dnc_queue_argument(arguments, INTERVALOID, interval ? IntervalPGetDatum(interval) : (Datum) 0);
	if (interval == NULL)
		arguments->nulls[arguments->count - 1] = 'n';
}

/* Raise 42704 unless a foreign table has a mirror. */
static void
check_mirror(Oid source)
{
	DncQueueArguments arguments = {0};

	dnc_queue_argument(&arguments, REGCLASSOID, ObjectIdGetDatum(source));
	if (dnc_queue_run("SELECT FROM %1$s.dnc_fdw_mirror_lists WHERE source = $1", &arguments) == 0)
		dnc_mirror_refuse_unmirrored(source, false);
}

/*
 * Set the schedule for the mirror of a foreign table; without full_every, end it.  Raises 42501
 * for roles that may not, 22023 for intervals, and 42704 where there is no mirror.
 */
void
dnc_schedule_set(const DncScheduleRequest *request)
{
	DncQueueArguments arguments = {0};

	dnc_queue_require();
	check_intervals(request);
	check_roles(request);
	dnc_queue_argument(&arguments, REGCLASSOID, ObjectIdGetDatum(request->source));
	if (request->full_every == NULL)
	{
		(void) dnc_queue_run("DELETE FROM " SCHEDULES " WHERE source = $1", &arguments);
		return;
	}
	check_mirror(request->source);
	interval_argument(&arguments, request->full_every);
	interval_argument(&arguments, request->delta_every);
	dnc_queue_argument(&arguments, REGROLEOID, ObjectIdGetDatum(request->run_as));
	(void) dnc_queue_run(
		"INSERT INTO " SCHEDULES " AS m "
		"(source, full_every, delta_every, run_as, next_full, next_delta) "
		"VALUES ($1, $2, $3, $4, now(), now() + $3) "
		"ON CONFLICT (source) DO UPDATE SET full_every = $2, delta_every = $3, "
		"run_as = $4, next_delta = now() + $3, next_full = CASE WHEN m.failures > 0 "
		"THEN now() ELSE least(m.next_full, now() + $2) END, failures = 0, "
		"sqlstate = NULL, message = NULL",
		&arguments);
	dnc_wake_at_commit();
}

/* ----- the scheduler's side ----- */

/* Lock our tables for reading; false: somebody has a lock that we would have to wait for. */
bool
dnc_schedule_lock_at_once(void)
{
	return ConditionalLockRelationOid(dnc_queue_relation("dnc_fdw_mirror_schedules"),
									  AccessShareLock) &&
		ConditionalLockRelationOid(dnc_queue_relation("dnc_fdw_mirror_lists"), AccessShareLock);
}

/*
 * Lock the schedule of a mirror until the transaction ends, where it has one.  False: another
 * transaction has locked it.  We must not wait for a transaction that stays open.
 */
bool
dnc_schedule_lock(Oid source)
{
	DncQueueArguments arguments = {0};

	dnc_queue_argument(&arguments, REGCLASSOID, ObjectIdGetDatum(source));
	return dnc_queue_run("SELECT FROM " SCHEDULES " WHERE source = $1 FOR UPDATE SKIP LOCKED", &arguments) > 0 ||
		dnc_queue_run("SELECT FROM " SCHEDULES " WHERE source = $1", &arguments) == 0;
}

/*
 * The mirrors that have a schedule: a list of DncScheduleDue *, palloc'd.  Needs an active
 * snapshot.  Schedules of mirrors that were dropped are forgotten.  If a full pass is due later than
 * its interval allows, a clock was set back, and the pass is due now.
 */
List *
dnc_schedule_due(void)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext before;
	DncQueueQuery query;
	List	   *all = NIL;

	(void) dnc_queue_run("DELETE FROM " SCHEDULES " m WHERE m.source = ANY (ARRAY(SELECT m.source FROM "
						 SCHEDULES " m WHERE NOT EXISTS "
						 "(SELECT FROM pg_foreign_table t JOIN %1$s.dnc_fdw_mirror_lists l "
						 "ON l.source = t.ftrelid WHERE t.ftrelid = m.source) FOR UPDATE SKIP LOCKED))", NULL);
	dnc_queue_open(&query,
				   "SELECT m.source, m.run_as, coalesce(m.next_delta < n.next_full AND "
				   "n.next_full > clock_timestamp(), false), least(n.next_full, m.next_delta) "
				   "FROM " SCHEDULES " m, LATERAL (SELECT CASE WHEN m.next_full <= clock_timestamp() + m.full_every "
				   "+ interval '1 hour' THEN m.next_full ELSE clock_timestamp() END AS next_full) n ORDER BY 4",
				   NULL, false);
	before = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < query.count; i++)
	{
		DncScheduleDue *due = palloc(sizeof(DncScheduleDue));

		due->source = DatumGetObjectId(dnc_queue_datum(&query, i, 1));
		due->role = DatumGetObjectId(dnc_queue_datum(&query, i, 2));
		due->delta = DatumGetBool(dnc_queue_datum(&query, i, 3));
		due->next = DatumGetTimestampTz(dnc_queue_datum(&query, i, 4));
		all = lappend(all, due);
	}
	MemoryContextSwitchTo(before);
	dnc_queue_close(&query);
	return all;
}

/* Begin the arguments of a query: the table, and whether the pass has mode 'delta'. */
static void
pass_arguments(Oid source, bool delta, DncQueueArguments *arguments)
{
	dnc_queue_argument(arguments, REGCLASSOID, ObjectIdGetDatum(source));
	dnc_queue_argument(arguments, BOOLOID, BoolGetDatum(delta));
}

/* Record that a refresh begins. */
void
dnc_schedule_began(const DncScheduleDue *due)
{
	DncQueueArguments arguments = {0};

	pass_arguments(due->source, due->delta, &arguments);
	(void) dnc_queue_run("UPDATE " SCHEDULES
						 " SET mode = CASE WHEN $2 THEN 'delta' ELSE 'full' END, "
						 "began_at = clock_timestamp() WHERE source = $1",
						 &arguments);
}

/*
 * Has the refresh of schedule s stored a page of a full pass, which the next one goes on with?  Then
 * it is no failure in a row with the last one: a long pass may meet many faults on its way.
 */
#define GOT_ON \
	"EXISTS (SELECT FROM %1$s.dnc_fdw_pass_log p WHERE p.source = s.source AND p.mode = 'full' AND " \
	"p.state = 'running' AND p.saved_at > s.began_at)"

/* Record the end of a refresh, by a failure, or complete (NULL). */
void
dnc_schedule_ended(Oid source, bool delta, const DncSlotFailure *failure)
{
	DncQueueArguments arguments = {0};

	pass_arguments(source, delta, &arguments);
	if (failure == NULL)
	{
		(void) dnc_queue_run("UPDATE " SCHEDULES " SET failures = 0, sqlstate = NULL, "
							 "message = NULL, ended_at = clock_timestamp(), "
							 "next_full = CASE WHEN $2 THEN next_full ELSE "
							 "greatest(began_at + full_every, clock_timestamp()) END, "
							 "next_delta = greatest(began_at + delta_every, clock_timestamp() + "
							 "delta_every / 10) WHERE source = $1",
							 &arguments);
		return;
	}
	dnc_queue_text_argument(&arguments, failure->sqlstate);
	dnc_queue_text_argument(&arguments, failure->message);
	(void) dnc_queue_run("UPDATE " SCHEDULES " m SET failures = f.before + 1, sqlstate = $3, "
						 "message = $4, ended_at = clock_timestamp(), "
						 "next_full = CASE WHEN $2 THEN next_full ELSE clock_timestamp() + "
						 "least(" BACKOFF_CAP ", 2 ^ least(f.before, 12)) * interval '1 s' END, "
						 "next_delta = CASE WHEN delta_every IS NOT NULL THEN clock_timestamp() + "
						 "least(" BACKOFF_CAP ", 2 ^ least(f.before, 12)) * interval '1 s' END "
						 "FROM (SELECT s.source, CASE WHEN " GOT_ON " THEN 0 ELSE s.failures END AS before "
						 "FROM " SCHEDULES " s) f WHERE m.source = $1 AND f.source = $1",
						 &arguments);
}
