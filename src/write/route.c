/*-------------------------------------------------------------------------
 *
 * route.c
 *		Where a written row goes: it waits for COMMIT, or is sent at once.
 *
 * Statements add their rows to a route, and do not know which kind it is.  With
 * write_mode 'commit' that is the transaction's collection of pending writes.  With
 * 'immediate' the statement has a collection of its own: additions are sent as batches
 * fill, removals when the statement is over, and with it the scan that they were found by.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "write/route.h"
#include "write/transaction.h"

/* ----- write_mode 'commit' ----- */

/* DncRouteKind.begin: the transaction's collection. */
static DncRoute *
begin_until_commit(const DncTarget *target, const DncRouteStatement *statement)
{
	DncRoute   *route = palloc0(sizeof(DncRoute));

	route->pending = dnc_transaction_server(target)->pending;
	return route;
}

/* DncRouteKind.flush: COMMIT will send the rows. */
static void
flush_until_commit(DncRoute *route)
{
}

/* DncRouteKind.end: nothing has changed yet. */
static int64
end_until_commit(DncRoute *route)
{
	return 0;
}

static const DncRouteKind until_commit = {
	.begin = begin_until_commit,
	.flush = flush_until_commit,
	.end = end_until_commit,
};

/* ----- write_mode 'immediate' ----- */

typedef struct RouteAtOnce
{
	DncRoute	route;
	DncServerWrites *server;	/* counts what is taken */
	int			full;			/* send the additions when there are so many; 0: do not */
} RouteAtOnce;

static const DncRouteKind at_once;

/*
 * Refuse to send writes at once while others to the same server wait for COMMIT: the
 * first one written would arrive last (0A000).
 */
static void
refuse_overtaking(const DncServerWrites *server, const char *table)
{
	if (server->pending->count == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot write to foreign table \"%s\" at once", table),
			 errdetail("Its write_mode is 'immediate', and earlier writes of this transaction to server \"%s\" wait for COMMIT.",
					   server->server_name),
			 errhint("COMMIT first, or use tables of the same write_mode.")));
}

/* Does a statement read lists of a server, beside writing to one? */
static bool
reads_server(const DncRouteStatement *statement, Oid serverid)
{
	EState	   *estate = statement->estate;

	for (Index rti = 1; rti <= estate->es_range_table_size; rti++)
	{
		RangeTblEntry *rte = exec_rt_fetch(rti, estate);

		if (rti != statement->result->ri_RangeTableIndex && rte->rtekind == RTE_RELATION &&
			rte->relkind == RELKIND_FOREIGN_TABLE &&
			GetForeignServerIdByRelId(rte->relid) == serverid)
			return true;
	}
	return false;
}

/*
 * The collection of another part of the same statement that writes to the server at
 * once; NULL: there is none.  WITH may delete what the rest of the statement adds again,
 * and the parts end in another order than they ran in, so they share one.
 */
static DncPending *
pending_of_part(const DncRouteStatement *statement)
{
	ListCell   *lc;

	foreach(lc, statement->others)
	{
		DncRoute   *other = lfirst(lc);

		if (other->kind == &at_once)
			return other->pending;
	}
	return NULL;
}

/* DncRouteKind.begin: the statement's own collection. */
static DncRoute *
begin_at_once(const DncTarget *target, const DncRouteStatement *statement)
{
	RouteAtOnce *route = palloc0(sizeof(RouteAtOnce));
	const DncOptions *options = target->options;
	const ModifyTable *plan = statement->plan;

	route->server = dnc_transaction_server(target);
	refuse_overtaking(route->server, RelationGetRelationName(statement->result->ri_RelationDesc));
	route->route.pending = pending_of_part(statement);
	if (route->route.pending)
		return &route->route;
	route->route.pending = dnc_pending_make(CurrentMemoryContext);

	/*
	 * The statement could read its own additions, if we sent them while it still reads the
	 * list.  And PostgreSQL checks a view's WITH CHECK OPTION only after it has handed us
	 * the row.  Where a request takes one entry, we send several requests at a time.
	 */
	if (statement->action == DNC_ACTION_ADD && !reads_server(statement, options->serverid) &&
		(plan == NULL || plan->withCheckOptionLists == NIL))
		route->full = options->batch_size > 1 ? options->batch_size : options->max_concurrency;
	return &route->route;
}

/* DncRouteKind.flush: send the additions if they fill a batch. */
static void
flush_at_once(DncRoute *route)
{
	RouteAtOnce *own = (RouteAtOnce *) route;

	if (own->full > 0 && route->pending->count >= own->full)
		(void) dnc_commit_send_now(own->server, route->pending);
}

/* DncRouteKind.end: send what is left. */
static int64
end_at_once(DncRoute *route)
{
	return dnc_commit_send_now(((RouteAtOnce *) route)->server, route->pending);
}

static const DncRouteKind at_once = {
	.tells_changes = true,
	.begin = begin_at_once,
	.flush = flush_at_once,
	.end = end_at_once,
};

/* ----- the interface ----- */

/* The kinds of routes, by DncWriteMode. */
static const DncRouteKind *const kinds[] = {
	[DNC_WRITE_COMMIT] = &until_commit,
	[DNC_WRITE_IMMEDIATE] = &at_once,
};

/* Does a table's route tell at the end how many entries the remote has changed? */
bool
dnc_route_tells_changes(const DncOptions *options)
{
	return kinds[options->write_mode]->tells_changes;
}

/*
 * Begin the route for the rows that a statement writes to a table; target is one of the
 * transaction's.  palloc'd in the current context, which has to last as long as the
 * statement.  Raises 0A000 where the rows would overtake writes that wait for COMMIT.
 */
DncRoute *
dnc_route_begin(const DncTarget *target, const DncRouteStatement *statement)
{
	const DncRouteKind *kind = kinds[target->options->write_mode];
	DncRoute   *route = kind->begin(target, statement);

	route->kind = kind;
	route->target = target;
	return route;
}

/*
 * Add a write; command is the one that makes it.  It is sent by dnc_route_flush() at the
 * earliest, so the caller may complete it, or take it back by dnc_pending_drop_last().
 * Raises what dnc_pending_append() does.
 */
DncPendingWrite *
dnc_route_add(DncRoute *route, DncAction action, DncMemberValues values, CommandId command)
{
	return dnc_pending_append(route->pending, route->target, action, values, command);
}

/* A row is complete: send what is due.  Raises what dnc_commit_send_now() does. */
void
dnc_route_flush(DncRoute *route)
{
	route->kind->flush(route);
}

/*
 * The statement is over: pass on what is left.  Gives back how many entries the remote
 * has changed, where the kind tells that.  Raises what dnc_commit_send_now() does.
 */
int64
dnc_route_end(DncRoute *route)
{
	return route->kind->end(route);
}
