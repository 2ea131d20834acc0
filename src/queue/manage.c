/*-------------------------------------------------------------------------
 *
 * manage.c
 *		The functions by which people manage the queue: retry, discard, resume, adopt.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "queue/due.h"
#include "queue/manage.h"
#include "queue/statements.h"
#include "queue/table.h"

/*
 * Is row w meant by one of these ids, as the view shows them?  If a row was copied here without the
 * sequence, it may have the same id as a row of ours.  Then the id means our row.
 */
#define IS_MEANT(ids) \
	"w.id = ANY (" ids ") AND (w.instance = $1 OR NOT EXISTS (SELECT FROM " DNC_QUEUE_WAITING " o " \
	"WHERE o.instance = $1 AND o.id = w.id))"

/* Does a relation or role exist? */
static bool
exists(int cache, Oid oid)
{
	return SearchSysCacheExists1(cache, ObjectIdGetDatum(oid));
}

/*
 * May the caller retry or discard a write?  It takes the privilege to make this write to its
 * table.  If the table was dropped, the caller must be a member of the role that has written.  If
 * that role was dropped too, the caller must be a superuser.
 */
static bool
may_decide(Oid relid, Oid role, bool removes)
{
	Oid			user = GetUserId();

	if (exists(RELOID, relid))
		return pg_class_aclcheck(relid, user, removes ? ACL_DELETE : ACL_INSERT) == ACLCHECK_OK;
	return exists(AUTHOID, role) ? has_privs_of_role(user, role) : superuser();
}

/* Lock the writes with these ids.  Raises 42501 if the caller may not decide about one of them. */
static void
lock_rows(Datum ids)
{
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	Oid			owner;
	int			security;

	dnc_queue_origin_arguments(&arguments);
	dnc_queue_argument(&arguments, INT8ARRAYOID, ids);
	/* In the rows of another installation, the OIDs are those of others here: the names count. */
	dnc_queue_open(&query, "SELECT w.id, coalesce(" DNC_QUEUE_TABLE_OF("w") ", 0), "
				   "CASE WHEN w.instance = $1 THEN w.role ELSE coalesce((SELECT r.oid FROM pg_roles r "
				   "WHERE r.rolname = w.role_name), 0) END, w.action = 'delete' FROM "
				   DNC_QUEUE_WAITING " w WHERE " IS_MEANT("$5") " ORDER BY w.id FOR UPDATE OF w",
				   &arguments, false);
	GetUserIdAndSecContext(&owner, &security);
	SetUserIdAndSecContext(query.user, query.security);
	for (uint64 i = 0; i < query.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!may_decide(DatumGetObjectId(dnc_queue_datum(&query, i, 2)),
						DatumGetObjectId(dnc_queue_datum(&query, i, 3)),
						DatumGetBool(dnc_queue_datum(&query, i, 4))))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied for write %s of the queue",
							dnc_queue_value(&query, i, 1)),
					 errdetail("This takes the privilege on its table with which it was written: INSERT for an addition, DELETE for a deletion.")));
	}
	SetUserIdAndSecContext(owner, security);
	dnc_queue_close(&query);
}

/*
 * Make waiting and dead writes of this database due at once.  ids is an array of bigint.  Returns
 * how many there are.  A deletion may wait for max_delete_age again.  An unclear write stays
 * unclear, so that we look before we send it.  If a write's role was dropped, we send it as the
 * caller.  Raises 42501 if the caller may not decide, and 55000 without the queue's SQL objects.
 */
int64
dnc_queue_retry(Datum ids)
{
	DncQueueArguments arguments = {0};

	dnc_queue_require();
	lock_rows(ids);
	dnc_queue_origin_arguments(&arguments);
	dnc_queue_argument(&arguments, INT8ARRAYOID, ids);
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(GetUserId()));
	dnc_queue_changed();
	return dnc_queue_run("UPDATE " DNC_QUEUE_WAITING " w SET state = 'waiting', "
						 "next_try = clock_timestamp(), retried_at = clock_timestamp(), "
						 "role = coalesce(r.oid, $6), "
						 "role_name = coalesce(r.rolname, pg_get_userbyid($6)) "
						 "FROM unnest($5) i (id) LEFT JOIN " DNC_QUEUE_WAITING " o "
						 "ON o.instance = $1 AND o.id = i.id LEFT JOIN pg_roles r ON r.oid = o.role "
						 "WHERE w.id = i.id AND w.state IN ('waiting', 'dead') AND "
						 DNC_QUEUE_IS_OURS, &arguments);
}

/*
 * Give up writes that are not being sent.  ids is an array of bigint.  The reason replaces their
 * message.  Returns how many there are.  Raises the errors of dnc_queue_retry().
 */
int64
dnc_queue_discard(Datum ids, const char *reason)
{
	DncQueueArguments arguments = {0};

	dnc_queue_require();
	lock_rows(ids);
	dnc_queue_origin_arguments(&arguments);
	dnc_queue_argument(&arguments, INT8ARRAYOID, ids);
	dnc_queue_text_argument(&arguments, reason);
	return dnc_queue_run(DNC_QUEUE_FINISH(IS_MEANT("$5") " AND (w.state <> 'sending' OR NOT ("
										  DNC_QUEUE_IS_OURS "))",
										  "'discarded'", "$6"),
						 &arguments);
}

/* End the pauses and backoffs of a server's lanes.  Returns how many there were. */
int64
dnc_queue_resume(Oid serverid)
{
	DncQueueArguments arguments = {0};

	dnc_queue_require();
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(serverid));
	dnc_queue_changed();
	return dnc_queue_run("UPDATE %1$s.dnc_fdw_queue_lanes SET paused_for = NULL, failures = 0, "
						 "next_try = '-infinity', http_status = NULL, sqlstate = NULL, "
						 "message = NULL WHERE server = $1 AND instance = "
						 "(SELECT i.instance FROM %1$s.dnc_fdw_instance i) AND "
						 "(paused_for IS NOT NULL OR next_try > clock_timestamp())", &arguments);
}

/* ----- adopting ----- */

/*
 * Finish the deletions of other installations that an addition has overtaken, there or here.  We
 * must do this before we adopt them: transactions have other IDs here, so their snapshots are of
 * no use afterwards.
 */
static void
drop_overtaken(const DncQueueArguments *origin)
{
	(void) dnc_queue_run(DNC_QUEUE_FINISH("w.instance <> $1 AND w.action = 'delete' AND " DNC_QUEUE_IS_SUPERSEDED,
										  "'superseded'", "'somebody has added this person later'"), origin);
}

/*
 * The snapshot for deletions that we adopt, as text; palloc'd.  It shows only transactions before
 * the oldest one that runs now.  So these deletions do not see additions that commit while we
 * adopt, nor additions of our own transaction.
 */
static char *
seen_by_adopted(void)
{
	MemoryContext context = CurrentMemoryContext;
	DncQueueQuery query;
	char	   *seen;

	dnc_queue_open(&query, "SELECT concat(x, ':', x, ':') "
				   "FROM pg_snapshot_xmin(pg_current_snapshot()) x", NULL, false);
	seen = MemoryContextStrdup(context, dnc_queue_value(&query, 0, 1));
	dnc_queue_close(&query);
	return seen;
}

/*
 * Move the sequences behind the ids of all rows.  We give adopted rows new ids: sessions may have
 * taken ids from the sequence that these rows have.
 */
static void
advance_ids(void)
{
	(void) dnc_queue_run(DNC_QUEUE_ADVANCE_IDS, NULL);
	(void) dnc_queue_run("SELECT setval('%1$s.dnc_fdw_pass_id', m.id) FROM %1$s.dnc_fdw_pass_id s, "
						 "(SELECT max(p.id) AS id FROM %1$s.dnc_fdw_pass_log p) m WHERE m.id > s.last_value", NULL);
}

/*
 * Make all writes this database's own.  Returns how many waiting writes were of another origin.
 * If a deletion of another installation remains, it counts as having seen the additions of that
 * installation.  Raises 42501 unless the caller has the rights of the database's owner, and 55000
 * without the queue's SQL objects.
 */
int64
dnc_queue_adopt(void)
{
	DncQueueArguments arguments = {0};
	char	   *seen;
	int64		count;

	dnc_queue_require();
	if (!has_privs_of_role(GetUserId(), ROLE_PG_DATABASE_OWNER))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to adopt the queue"),
				 errdetail("This takes the owner of the database.")));
	dnc_queue_origin_arguments(&arguments);
	/* The snapshot comes first: it does not see later commits, and we find the earlier ones. */
	seen = seen_by_adopted();
	drop_overtaken(&arguments);
	advance_ids();
	dnc_queue_text_argument(&arguments, seen);
	dnc_queue_changed();
	count = dnc_queue_run("UPDATE " DNC_QUEUE_WAITING " w SET instance = $1, database = $2, "
						  "system_identifier = $3, timeline = $4, "
						  "id = CASE WHEN w.instance <> $1 "
						  "THEN nextval('%1$s.dnc_fdw_queue_id') ELSE w.id END, "
						  "xid = CASE WHEN w.instance <> $1 THEN '3' ELSE w.xid END, "
						  "snapshot = CASE WHEN w.instance <> $1 AND w.action = 'delete' "
						  "THEN $5::pg_snapshot ELSE w.snapshot END, "
						  "relation = CASE WHEN w.instance <> $1 "
						  "THEN coalesce(to_regclass(w.relation_name)::oid, 0) ELSE w.relation END, "
						  "role = CASE WHEN w.instance <> $1 THEN coalesce((SELECT r.oid "
						  "FROM pg_roles r WHERE r.rolname = w.role_name), 0) ELSE w.role END, "
						  "unclear = w.unclear OR w.state = 'sending', "
						  "state = CASE WHEN w.state = 'sending' THEN 'waiting' ELSE w.state END "
						  "WHERE w.instance <> $1 OR w.database <> $2 OR "
						  "w.system_identifier <> $3 OR w.timeline <> $4", &arguments);
	/* Which of two finished writes came first is lost: no such removal shall undo an addition. */
	(void) dnc_queue_run("UPDATE " DNC_QUEUE_FINISHED " w SET instance = $1, database = $2, "
						 "system_identifier = $3, timeline = $4, "
						 "id = nextval('%1$s.dnc_fdw_queue_id'), "
						 "xid = CASE WHEN w.action = 'add' THEN '4' ELSE '3' END::xid8, snapshot = NULL, "
						 "relation = coalesce(to_regclass(w.relation_name)::oid, 0) "
						 "WHERE w.instance <> $1", &arguments);
	return count;
}
