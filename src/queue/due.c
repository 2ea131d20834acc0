/*-------------------------------------------------------------------------
 *
 * due.c
 *		The servers that need a delivery, and a callback for new writes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "queue/deliver.h"
#include "queue/due.h"
#include "queue/forget.h"
#include "queue/lane.h"
#include "queue/statements.h"
#include "queue/table.h"

static void (*wake)(void) = NULL;

/* For _PG_init(): set the function that we call in each transaction that gives senders work. */
void
dnc_queue_register_waker(void (*waker)(void))
{
	wake = waker;
}

/* Tell that this transaction gives a sender work.  Call this before COMMIT; it may raise errors. */
void
dnc_queue_changed(void)
{
	if (wake)
		wake();
}

/*
 * Lock the tables of the queue for reading, until the transaction ends.  False: we would have to
 * wait for a lock.  DROP EXTENSION may hold such a lock for long, and wait for us.
 */
bool
dnc_queue_lock_at_once(void)
{
	static const char *const names[] = {"dnc_fdw_queue_waiting", "dnc_fdw_queue_finished",
										"dnc_fdw_queue_lanes"};

	for (size_t i = 0; i < lengthof(names); i++)
	{
		if (!ConditionalLockRelationOid(dnc_queue_relation(names[i]), AccessShareLock))
			return false;
	}
	return true;
}

/* End the pauses of all lanes whose cause may be gone. */
static void
wake_lanes(void)
{
	DncQueueQuery query;
	List	   *servers = NIL;
	ListCell   *lc;
	MemoryContext context = CurrentMemoryContext;
	MemoryContext before;

	dnc_queue_open(&query,
				   "SELECT DISTINCT server FROM %1$s.dnc_fdw_queue_lanes "
				   "WHERE paused_for IS NOT NULL",
				   NULL, true);
	before = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < query.count; i++)
		servers = lappend_oid(servers, DatumGetObjectId(dnc_queue_datum(&query, i, 1)));
	MemoryContextSwitchTo(before);
	dnc_queue_close(&query);
	foreach(lc, servers)
		dnc_lane_wake_all(lfirst_oid(lc));
}

/*
 * There may be many rows, so we first count the waiting writes by table, role and state.  Writes
 * of a paused lane are not due.  Writes that are marked as being sent count as due if no session
 * has the lock of their server.  Finished writes that we may forget count as a due write.
 */
#define WAITS \
	"SELECT w.relation, w.server, split_part(w.account, '/', 1) AS provider, w.role, w.state, "    \
	"count(*) FILTER (WHERE " DNC_QUEUE_IS_TIME("w") ") AS due, min(w.next_try) AS next "          \
	"FROM " DNC_QUEUE_WAITING " w WHERE " DNC_QUEUE_IS_OURS                                        \
	" AND w.state IN ('waiting', 'sending') GROUP BY 1, 2, 3, 4, 5"

#define OLD \
	"SELECT w.relation, w.server, split_part(w.account, '/', 1), w.role, 'old', 1, "               \
	"min(w.done_at) FROM " DNC_QUEUE_FINISHED " w WHERE $6 AND w.instance = $1 AND "               \
	"w.done_at < clock_timestamp() - $5 * interval '1 s' GROUP BY 1, 2, 3, 4"

#define SERVER_OF \
	"coalesce((SELECT t.ftserver FROM pg_foreign_table t WHERE t.ftrelid = q.relation), "          \
	"(SELECT s.oid FROM pg_foreign_server s WHERE s.srvname = q.server AND "                       \
	"'provider=' || q.provider = ANY (s.srvoptions)))"

#define IS_BEING_SENT \
	"EXISTS (SELECT FROM pg_locks k WHERE k.locktype = 'advisory' AND k.database = $2 AND "        \
	"k.classid = p.serverid AND k.objid = 0 AND k.objsubid = " CppAsString2(                       \
		DNC_DELIVER_LOCK_CLASS) ")"

/*
 * Find the servers with waiting writes.  Returns a list of DncQueueDue *, palloc'd.  of_old: also
 * find servers whose finished writes we may forget.  Ends pauses whose cause may be gone.  Needs an
 * active snapshot.
 */
List *
dnc_queue_due(bool of_old)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext before;
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	List	   *all = NIL;

	wake_lanes();
	dnc_queue_origin_arguments(&arguments);
	dnc_queue_argument(&arguments, INT4OID, Int32GetDatum(dnc_keep_done));
	dnc_queue_argument(&arguments, BOOLOID, BoolGetDatum(of_old));
	dnc_queue_open(
		&query,
		"WITH q AS MATERIALIZED (" WAITS " UNION ALL " OLD "), "
		"p AS MATERIALIZED (SELECT " SERVER_OF " AS serverid, q.* FROM q) "
		"SELECT p.serverid, sum(CASE WHEN p.state = 'waiting' AND "
		"NOT " DNC_QUEUE_LANE_IS_TIME("l") " THEN 0 ELSE greatest(p.due, "
		"(p.state <> 'waiting')::int) END)::bigint, "
		"min(CASE WHEN p.state = 'waiting' THEN greatest(p.next, l.next_try) "
		"ELSE clock_timestamp() END) "
		"FROM p LEFT JOIN %1$s.dnc_fdw_queue_lanes l ON l.instance = $1 AND "
		"l.server = p.serverid AND l.role = p.role "
		"WHERE p.serverid IS NOT NULL AND (p.state <> 'waiting' OR l.paused_for IS NULL) "
		"AND (p.state <> 'sending' OR NOT " IS_BEING_SENT ") GROUP BY 1",
		&arguments, false);
	before = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < query.count; i++)
	{
		DncQueueDue *due = palloc(sizeof(DncQueueDue));

		due->serverid = DatumGetObjectId(dnc_queue_datum(&query, i, 1));
		due->count = DatumGetInt64(dnc_queue_datum(&query, i, 2));
		due->next = DatumGetTimestampTz(dnc_queue_datum(&query, i, 3));
		all = lappend(all, due);
	}
	MemoryContextSwitchTo(before);
	dnc_queue_close(&query);
	return all;
}
