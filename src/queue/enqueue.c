/*-------------------------------------------------------------------------
 *
 * enqueue.c
 *		write_mode 'queue': writes are stored at COMMIT, and sent later.
 *
 * Until COMMIT or PREPARE TRANSACTION the writes wait in the transaction, as with
 * write_mode 'commit'.  Savepoints, command visibility and the transaction's own view of
 * the list are the same.  Then the writes that stand become rows of a table, in bulk, so
 * that they are as durable as the transaction.  We only insert, so writers never wait for
 * each other.
 *
 * A removal may only take what its statement could see.  So its row has the snapshot of
 * the statement: claim.c does not send it where somebody else has added the person since.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "compat.h"
#include "queue/due.h"
#include "queue/enqueue.h"
#include "queue/guard.h"
#include "queue/queued.h"
#include "queue/table.h"
#include "write/limits.h"
#include "write/overlay.h"
#include "write/route.h"
#include "write/settle.h"
#include "write/transaction.h"

/* Rows that are inserted together. */
#define ROWS_AT_ONCE 500

/* What a statement that removes could see. */
typedef struct SeenSnapshot
{
	struct SeenSnapshot *next;
	CommandId	seen;			/* as in DncPendingWrite */
	Datum		snapshot;		/* pg_snapshot */
} SeenSnapshot;

/* The snapshots of this transaction's statements; in its memory. */
static SeenSnapshot *snapshots = NULL;

/* The storing of an account's writes. */
typedef struct Storing
{
	EState	   *estate;
	ResultRelInfo *result;
	Oid			sequence;
	DncQueueOrigin origin;
	FullTransactionId xid;
	TimestampTz now;
	Datum		actions[DNC_NACTIONS];	/* texts that rows have in common */
	Datum		state;
	const DncTarget *target;	/* of the last write; the next four are its */
	NameData	server;
	NameData	role;
	Datum		table;
	Datum		account;
	MemoryContext row_context;	/* the values of the rows that are not inserted yet */
	TupleTableSlot **slots;		/* made when they are needed first */
	int			nslots;			/* that have a row */
	int			made;
} Storing;

/* ----- the route ----- */

/* Callback of the transaction's memory. */
static void
forget_snapshots(void *arg)
{
	snapshots = NULL;
}

/* Keep the snapshot of a statement that removes, unless that is done. */
static void
keep_snapshot(Snapshot snapshot)
{
	MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);
	SeenSnapshot *seen;

	for (seen = snapshots; seen; seen = seen->next)
	{
		if (seen->seen == snapshot->curcid)
			break;
	}
	if (seen == NULL)
	{
		if (snapshots == NULL)
		{
			MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

			callback->func = forget_snapshots;
			MemoryContextRegisterResetCallback(TopTransactionContext, callback);
		}
		PushActiveSnapshot(snapshot);
		seen = palloc(sizeof(SeenSnapshot));
		seen->seen = snapshot->curcid;
		seen->snapshot = OidFunctionCall0(F_PG_CURRENT_SNAPSHOT);
		seen->next = snapshots;
		snapshots = seen;
		PopActiveSnapshot();
	}
	MemoryContextSwitchTo(before);
}

/* DncRouteKind.begin.  Raises 55000 where the SQL objects of the queue are not there. */
static DncRoute *
begin_queue(DncAccountWrites *account, const DncTarget *target,
			const DncRouteStatement *statement)
{
	dnc_queue_require();
	if (statement->action == DNC_ACTION_REMOVE)
		keep_snapshot(statement->estate->es_snapshot);
	return dnc_route_begin_until_commit(account, target, statement);
}

/* ----- one row ----- */

/* A text in UTF-8 as a datum in the database's encoding. */
static Datum
text_datum(const char *utf8)
{
	return CStringGetTextDatum(pg_any_to_server(utf8, strlen(utf8), PG_UTF8));
}

/* Set a column of a row. */
static void
set_value(TupleTableSlot *slot, DncQueueColumn column, Datum value)
{
	slot->tts_values[column - 1] = value;
	slot->tts_isnull[column - 1] = false;
}

/* Set the columns for the values that are sent. */
static void
set_members(TupleTableSlot *slot, const DncWrite *write)
{
	const char *texts[DNC_NCOLUMNS];

	dnc_write_texts(write, texts);
	for (int i = 0; i < DNC_QUEUE_NMEMBERS; i++)
	{
		const DncQueueMember *member = &dnc_queue_members[i];

		if (texts[member->column])
			set_value(slot, member->stored, text_datum(texts[member->column]));
		texts[member->column] = NULL;
	}
	for (int i = 0; i < DNC_NCOLUMNS; i++)
	{
		if (texts[i])
			elog(ERROR, "the queue has no column for \"%s\"", dnc_column_name(i));
	}
}

/* What the statement of a removal could see. */
static Datum
snapshot_of(const DncPendingWrite *removal)
{
	const SeenSnapshot *seen = snapshots;

	while (seen && seen->seen != removal->seen)
		seen = seen->next;
	if (seen == NULL)
		elog(ERROR, "a removal has no snapshot");
	return seen->snapshot;
}

/* Take note of the target of the writes that come next. */
static void
enter_target(Storing *storing, const DncTarget *target)
{
	MemoryContext before = MemoryContextSwitchTo(storing->estate->es_query_cxt);
	Oid			relid = target->relid;

	storing->target = target;
	namestrcpy(&storing->server, target->options->server_name);
	namestrcpy(&storing->role, GetUserNameFromId(target->userid, false));
	storing->table =
		CStringGetTextDatum(quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
													   get_rel_name(relid)));
	storing->account = CStringGetTextDatum(dnc_queue_account(target->options));
	MemoryContextSwitchTo(before);
}

/* Fill in the row for a write. */
static void
fill_row(Storing *storing, TupleTableSlot *slot, const DncPendingWrite *waiting)
{
	const DncWrite *write = &waiting->write;
	bool		removes = write->action == DNC_ACTION_REMOVE;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, sizeof(bool) * DNC_QUEUE_NCOLUMNS);
	set_value(slot, DNC_QUEUE_INSTANCE, UUIDPGetDatum(&storing->origin.instance));
	set_value(slot, DNC_QUEUE_ID, Int64GetDatum(nextval_internal(storing->sequence, false)));
	set_value(slot, DNC_QUEUE_DATABASE, ObjectIdGetDatum(storing->origin.database));
	set_value(slot, DNC_QUEUE_SYSTEM, Int64GetDatum(storing->origin.system));
	set_value(slot, DNC_QUEUE_TIMELINE, Int32GetDatum(storing->origin.timeline));
	set_value(slot, DNC_QUEUE_SERVER, NameGetDatum(&storing->server));
	set_value(slot, DNC_QUEUE_RELATION, ObjectIdGetDatum(write->target->relid));
	set_value(slot, DNC_QUEUE_RELATION_NAME, storing->table);
	set_value(slot, DNC_QUEUE_ROLE, ObjectIdGetDatum(write->target->userid));
	set_value(slot, DNC_QUEUE_ROLE_NAME, NameGetDatum(&storing->role));
	set_value(slot, DNC_QUEUE_ACCOUNT, storing->account);
	set_value(slot, DNC_QUEUE_ACTION, storing->actions[write->action]);
	set_members(slot, write);
	set_value(slot, DNC_QUEUE_MATCH_KEY, CStringGetTextDatum(dnc_queue_key(write)));
	set_value(slot, DNC_QUEUE_XID, FullTransactionIdGetDatum(storing->xid));
	if (removes)
		set_value(slot, DNC_QUEUE_SNAPSHOT, snapshot_of(waiting));
	set_value(slot, DNC_QUEUE_STATE, storing->state);
	set_value(slot, DNC_QUEUE_ATTEMPTS, Int32GetDatum(0));
	set_value(slot, DNC_QUEUE_UNCLEAR, BoolGetDatum(false));
	set_value(slot, DNC_QUEUE_NEXT_TRY, TimestampTzGetDatum(storing->now));
	set_value(slot, DNC_QUEUE_QUEUED_AT, TimestampTzGetDatum(storing->now));
	ExecStoreVirtualTuple(slot);
}

/* ----- inserting ----- */

/* Insert the rows that were filled in, with their index entries. */
static void
insert_rows(Storing *storing)
{
	MemoryContext before = MemoryContextSwitchTo(GetPerTupleMemoryContext(storing->estate));

	if (storing->nslots > 0)
		table_multi_insert(storing->result->ri_RelationDesc, storing->slots, storing->nslots,
						   GetCurrentCommandId(true), 0, NULL);
	MemoryContextSwitchTo(before);
	for (int i = 0; i < storing->nslots; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(storing->estate);
		dnc_insert_index_tuples(storing->result, storing->slots[i], storing->estate);
		ExecClearTuple(storing->slots[i]);
	}
	storing->nslots = 0;
	MemoryContextReset(storing->row_context);
}

/* Store a write. */
static void
store_write(Storing *storing, const DncPendingWrite *waiting)
{
	Relation	table = storing->result->ri_RelationDesc;
	MemoryContext before = MemoryContextSwitchTo(storing->estate->es_query_cxt);

	if (waiting->write.target != storing->target)
		enter_target(storing, waiting->write.target);
	if (storing->nslots == storing->made)
		storing->slots[storing->made++] = table_slot_create(table, NULL);
	MemoryContextSwitchTo(storing->row_context);
	fill_row(storing, storing->slots[storing->nslots], waiting);
	ExecMaterializeSlot(storing->slots[storing->nslots++]);
	MemoryContextSwitchTo(before);
	if (storing->nslots == ROWS_AT_ONCE)
		insert_rows(storing);
}

/* Open the table of the queue for our insertions; nothing of a user's runs in them. */
static Storing *
begin_storing(void)
{
	Storing    *storing = palloc0(sizeof(Storing));
	Oid			relid = dnc_queue_relation("dnc_fdw_queue_waiting");
	Relation	table;

	dnc_queue_require();
	table = table_open(relid, RowExclusiveLock);
	if (RelationGetNumberOfAttributes(table) != DNC_QUEUE_NCOLUMNS)
		elog(ERROR, "table \"%s\" has other columns than this library knows",
			 RelationGetRelationName(table));
	storing->estate = CreateExecutorState();
	storing->result = makeNode(ResultRelInfo);
	InitResultRelInfo(storing->result, table, 0, NULL, 0);
	ExecOpenIndices(storing->result, false);
	storing->sequence = dnc_queue_relation("dnc_fdw_queue_id");
	dnc_queue_origin(&storing->origin);
	storing->xid = GetTopFullTransactionId();
	storing->now = GetCurrentTimestamp();
	storing->actions[DNC_ACTION_ADD] = CStringGetTextDatum("add");
	storing->actions[DNC_ACTION_REMOVE] = CStringGetTextDatum("delete");
	storing->state = CStringGetTextDatum("waiting");
	storing->slots = palloc(sizeof(TupleTableSlot *) * ROWS_AT_ONCE);
	storing->row_context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw queue rows",
												 ALLOCSET_DEFAULT_SIZES);
	return storing;
}

/* Insert what is left, and close the table. */
static void
end_storing(Storing *storing)
{
	insert_rows(storing);
	for (int i = 0; i < storing->made; i++)
		ExecDropSingleTupleTableSlot(storing->slots[i]);
	ExecCloseIndices(storing->result);
	table_close(storing->result->ri_RelationDesc, NoLock);
	FreeExecutorState(storing->estate);
}

/* Check max_deletes for the writes of an account that stand, server by server. */
static void
check_deletes(const DncPending *pending)
{
	DncWrite  **removals;

	if (pending->removals == 0)
		return;
	removals = MemoryContextAllocHuge(CurrentMemoryContext,
									  sizeof(DncWrite *) * pending->removals);
	for (const DncServerWrites *server = dnc_transaction_servers(); server; server = server->next)
	{
		int			count = 0;

		for (int i = 0; i < pending->count; i++)
		{
			const DncPendingWrite *waiting = dnc_pending_at(pending, i);

			if (waiting->write.action == DNC_ACTION_REMOVE && !waiting->overtaken &&
				waiting->write.target->options->serverid == server->serverid)
				removals[count++] = pending->writes[i];
		}
		dnc_limits_check_deletes(removals, count, 0);
	}
}

/*
 * DncRouteKind.store: make rows of the writes that stand.  Raises 54000 where max_deletes
 * is exceeded, and what inserting into a table raises.
 */
static void
store(DncAccountWrites *account)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw enqueue",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	DncPending *pending = account->pending;
	Storing    *storing;

	dnc_settle_mark_overtaken(pending);
	check_deletes(pending);
	PushActiveSnapshot(GetTransactionSnapshot());
	storing = begin_storing();
	for (int i = 0; i < pending->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!dnc_pending_at(pending, i)->overtaken)
			store_write(storing, dnc_pending_at(pending, i));
	}
	end_storing(storing);
	dnc_queue_changed();
	PopActiveSnapshot();
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
}

static const DncRouteKind by_queue = {
	.begin = begin_queue,
	.flush = dnc_route_flush_until_commit,
	.end = dnc_route_end_until_commit,
	.store = store,
};

/* For _PG_init(): take the rows of write_mode 'queue', and show them to scans. */
void
dnc_queue_init(void)
{
	dnc_route_register(DNC_WRITE_QUEUE, &by_queue);
	dnc_overlay_register(dnc_queue_find_additions);
	dnc_commit_register(dnc_queue_guard_additions);
}
