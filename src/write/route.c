/*-------------------------------------------------------------------------
 *
 * route.c
 *		Where a written row goes: it waits for COMMIT, or is sent at once.
 *
 * A third way, the queue, is src/queue/enqueue.c's.
 *
 * Statements add their rows to a route, and do not know its kind.  All rows for an account wait
 * in one collection.  With write_mode 'commit' they wait for COMMIT.
 *
 * With 'immediate' they wait for the end of the outermost statement that writes at once, with its
 * triggers.  A statement within it leaves its rows there.  So we send a removal only when we know
 * all additions.  A statement that only adds, and is alone, sends its additions as batches fill.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "write/route.h"

/*
 * Refuse (0A000) to write to an account in one write_mode while writes in another write_mode
 * wait, or are being made.  The writes that came first would arrive last.
 */
static void
refuse_mixture(const DncAccountWrites *account, const DncTarget *target, const char *table)
{
	DncWriteMode mode = target->options->write_mode;
	DncWriteMode other = mode;

	if (account->pending->count > 0)
		other = account->write_mode;
	for (const DncOpenRoute *route = dnc_transaction_routes(); route; route = route->next)
		other = route->account == account && other == mode ? route->write_mode : other;
	if (other == mode)
		return;
	if (mode == DNC_WRITE_QUEUE || other == DNC_WRITE_QUEUE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot write to foreign table \"%s\" in this transaction", table),
				 errdetail("Some writes to server \"%s\" go by the queue, others do not, and this transaction has begun with the other kind.",
						   target->options->server_name),
				 errhint("COMMIT first, or use tables of the same write_mode.")));
	if (mode == DNC_WRITE_IMMEDIATE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot write to foreign table \"%s\" at once", table),
				 errdetail("Its write_mode is 'immediate', and earlier writes of this transaction to server \"%s\" wait for COMMIT.",
						   target->options->server_name),
				 errhint("COMMIT first, or use tables of the same write_mode.")));
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot write to foreign table \"%s\" at COMMIT", table),
			 errdetail("Its write_mode is 'commit', and a statement that has not ended writes to server \"%s\" at once.",
					   target->options->server_name),
			 errhint("Use tables of the same write_mode.")));
}

/* A route's statement is over. */
static void
close_route(DncRoute *route)
{
	if (route->open)
		dnc_transaction_close(route->open);
	route->open = NULL;
}

/* ----- write_mode 'commit' ----- */

/* DncRouteKind.begin: this kind needs nothing but the route itself. */
DncRoute *
dnc_route_begin_until_commit(DncAccountWrites *account, const DncTarget *target,
							 const DncRouteStatement *statement)
{
	return palloc0(sizeof(DncRoute));
}

/* DncRouteKind.flush: COMMIT will send the rows, or store them. */
void
dnc_route_flush_until_commit(DncRoute *route)
{
}

/* DncRouteKind.end: nothing has changed yet. */
int64
dnc_route_end_until_commit(DncRoute *route)
{
	close_route(route);
	return 0;
}

static const DncRouteKind until_commit = {
	.begin = dnc_route_begin_until_commit,
	.flush = dnc_route_flush_until_commit,
	.end = dnc_route_end_until_commit,
};

/* ----- write_mode 'immediate' ----- */

typedef struct RouteAtOnce
{
	DncRoute	route;
	int			full;			/* send additions as soon as there are so many; 0: never */
	int			unsent;			/* additions since the last sending */
} RouteAtOnce;

/*
 * Does a statement read lists of a provider, beside the list that it writes to?  They may be the
 * same list, whatever the server and the role.
 */
static bool
reads_provider(const DncRouteStatement *statement, const DncProvider *provider)
{
	EState	   *estate = statement->estate;
	Oid			own = GetForeignServerIdByRelId(RelationGetRelid(statement->result->ri_RelationDesc));
	Oid			wrapper = GetForeignServer(own)->fdwid;

	for (Index rti = 1; rti <= estate->es_range_table_size; rti++)
	{
		RangeTblEntry *rte = exec_rt_fetch(rti, estate);
		Oid			serverid;

		if (rti == statement->result->ri_RangeTableIndex || rte->rtekind != RTE_RELATION ||
			rte->relkind != RELKIND_FOREIGN_TABLE)
			continue;
		serverid = GetForeignServerIdByRelId(rte->relid);
		if (GetForeignServer(serverid)->fdwid == wrapper &&
			dnc_options_load(serverid, rte->relid)->provider == provider)
			return true;
	}
	return false;
}

/*
 * DncRouteKind.begin.  The statement could read its own additions, if we sent them while it
 * still reads the list.  And PostgreSQL checks a view's WITH CHECK OPTION only after it has
 * handed us the row.  Where a request takes one entry, we send several requests at a time.
 */
static DncRoute *
begin_at_once(DncAccountWrites *account, const DncTarget *target,
			  const DncRouteStatement *statement)
{
	RouteAtOnce *route = palloc0(sizeof(RouteAtOnce));
	const DncOptions *options = target->options;
	const ModifyTable *plan = statement->plan;

	if (statement->action == DNC_ACTION_ADD && !reads_provider(statement, options->provider) &&
		(plan == NULL || plan->withCheckOptionLists == NIL))
		route->full = options->batch_size > 1 ? options->batch_size : options->max_concurrency;
	return &route->route;
}

/* Do all routes of this statement only add, and is no other statement open that writes at once? */
static bool
is_alone(const DncRoute *route)
{
	for (const DncOpenRoute *open = dnc_transaction_routes(); open; open = open->next)
	{
		if (open->write_mode == DNC_WRITE_IMMEDIATE &&
			(open->statement != route->open->statement || open->action != DNC_ACTION_ADD))
			return false;
	}
	return true;
}

/* Send the additions of a route, unless they have to wait for more writes. */
static void
send_additions(RouteAtOnce *route)
{
	if (route->full == 0 || route->route.pending->removals > 0 || !is_alone(&route->route))
		return;
	route->unsent = 0;
	(void) dnc_commit_send_now(dnc_transaction_servers(), dnc_transaction_accounts(),
							   route->route.target);
}

/* DncRouteKind.flush: send the additions if they fill a batch. */
static void
flush_at_once(DncRoute *route)
{
	RouteAtOnce *own = (RouteAtOnce *) route;

	own->unsent++;
	if (own->unsent >= own->full)
		send_additions(own);
}

/* Is a statement open that writes at once? */
static bool
is_within_another(void)
{
	for (const DncOpenRoute *open = dnc_transaction_routes(); open; open = open->next)
	{
		if (open->write_mode == DNC_WRITE_IMMEDIATE)
			return true;
	}
	return false;
}

/*
 * DncRouteKind.end: send the rest of this route's additions.  The last route of the outermost
 * statement sends all that waits.  Within another statement a removal by key counts as one entry,
 * since the remote has not told yet.
 */
static int64
end_at_once(DncRoute *route)
{
	RouteAtOnce *own = (RouteAtOnce *) route;

	if (own->unsent > 0)
		send_additions(own);
	close_route(route);
	return is_within_another() ? 1
		: dnc_commit_send_now(dnc_transaction_servers(), dnc_transaction_accounts(), NULL);
}

static const DncRouteKind at_once = {
	.tells_changes = true,
	.begin = begin_at_once,
	.flush = flush_at_once,
	.end = end_at_once,
};

/* ----- the interface ----- */

/* The kinds of routes, by DncWriteMode. */
static const DncRouteKind *kinds[] = {
	[DNC_WRITE_COMMIT] = &until_commit,
	[DNC_WRITE_IMMEDIATE] = &at_once,
	[DNC_WRITE_QUEUE] = NULL,	/* dnc_route_register() sets it */
};

/* For _PG_init(): add a kind of route from another file. */
void
dnc_route_register(DncWriteMode write_mode, const DncRouteKind *kind)
{
	kinds[write_mode] = kind;
}

/* Does a table's route tell at the end how many entries the remote has changed? */
bool
dnc_route_tells_changes(const DncOptions *options)
{
	return kinds[options->write_mode]->tells_changes;
}

/*
 * Begin the route for the rows that a statement writes to a table; target is one of the
 * transaction's.  palloc'd in the current context, which has to last as long as the statement.  A
 * removal without a plan is a removal by key.  Raises 0A000 where the rows would overtake others,
 * or be overtaken.
 */
DncRoute *
dnc_route_begin(const DncTarget *target, const DncRouteStatement *statement)
{
	const DncRouteKind *kind = kinds[target->options->write_mode];
	DncAccountWrites *account = dnc_transaction_account(target);
	DncRoute   *route;

	refuse_mixture(account, target, RelationGetRelationName(statement->result->ri_RelationDesc));
	route = kind->begin(account, target, statement);
	route->kind = kind;
	route->target = target;
	route->account = account;
	route->pending = account->pending;
	if (statement->action == DNC_ACTION_REMOVE)
		route->seen = statement->estate->es_snapshot->curcid;
	if (statement->action == DNC_ACTION_ADD || statement->plan)
		route->open = dnc_transaction_open(&(DncOpenRoute) {
			.account = account,.statement = statement->estate,.action = statement->action,
			.write_mode = target->options->write_mode
		});
	return route;
}

/*
 * Add a write; command is the command that makes it.  dnc_route_flush() sends it at the earliest,
 * so the caller may complete the write, or take it back by dnc_pending_drop_last().  Raises the
 * errors of dnc_pending_append().
 */
DncPendingWrite *
dnc_route_add(DncRoute *route, DncAction action, DncMemberValues values, CommandId command)
{
	DncPendingWrite *waiting = dnc_pending_append(route->pending, route->target, action, values,
												  command);

	route->account->write_mode = route->target->options->write_mode;
	route->account->store = route->kind->store;
	waiting->seen = route->seen;
	waiting->by_key = action == DNC_ACTION_REMOVE && route->open == NULL;
	return waiting;
}

/* Is a statement open that removes from a route's account? */
bool
dnc_route_is_removal_open(const DncRoute *route)
{
	for (const DncOpenRoute *open = dnc_transaction_routes(); open; open = open->next)
	{
		if (open->account == route->account && open->action == DNC_ACTION_REMOVE)
			return true;
	}
	return false;
}

/* A row is complete: send the writes that are due.  Raises the errors of dnc_commit_send_now(). */
void
dnc_route_flush(DncRoute *route)
{
	route->kind->flush(route);
}

/*
 * The statement is over: pass on the rest.  Gives back how many entries the remote has changed,
 * where the kind tells that.  Raises the errors of dnc_commit_send_now().
 */
int64
dnc_route_end(DncRoute *route)
{
	return route->kind->end(route);
}
