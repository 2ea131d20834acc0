/*-------------------------------------------------------------------------
 *
 * store.c
 *		Writes as rows of the queue's tables, in bulk.
 *
 * We only insert, so writers never wait for each other.
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
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "compat.h"
#include "match/phone_load.h"
#include "match/server_text.h"
#include "match/text.h"
#include "queue/guard.h"
#include "queue/store.h"
#include "queue/table.h"

/* We insert this many rows together. */
#define ROWS_AT_ONCE 500

/* The tables, by DncStoreTable. */
static const struct
{
	const char *name;
	int			columns;
	const char *state;			/* of the rows that we store */
	int			attempts;
}			tables[] = {
	[DNC_STORE_WAITING] = {"dnc_fdw_queue_waiting", DNC_QUEUE_REQUESTED_AT, "waiting", 0},
	[DNC_STORE_FINISHED] = {"dnc_fdw_queue_finished", DNC_QUEUE_SENT_WITH, "done", 1},
};

/* The state of storing writes in a table. */
struct DncStoring
{
	MemoryContext context;
	DncStoreTable table;
	EState	   *estate;
	ResultRelInfo *result;
	Oid			sequence;
	DncQueueOrigin origin;
	FullTransactionId xid;
	TimestampTz now;
	Datum		actions[DNC_NACTIONS];	/* texts that rows share */
	Datum		state;
	const DncTarget *target;	/* of the last write; the next five belong to it */
	NameData	server;
	NameData	role;
	Datum		relation;
	Datum		account;
	Datum		address;
	MemoryContext row_context;	/* the values of the rows that we have not inserted yet */
	TupleTableSlot **slots;		/* made when we first need them */
	int			nslots;			/* how many have a row */
	int			made;
};

/* ----- one row ----- */

/*
 * Convert a text from UTF-8 to a datum in the database's encoding.  For a waiting write, raises
 * 22P05 if the encoding lacks a character.  A finished write was sent already, so it is too late
 * for an error, and the text has the code point instead.
 */
static Datum
text_datum(const DncStoring *storing, const char *utf8)
{
	bool		whole;

	if (storing->table == DNC_STORE_FINISHED)
		return CStringGetTextDatum(dnc_match_to_server(utf8, &whole));
	return CStringGetTextDatum(pg_any_to_server(utf8, strlen(utf8), PG_UTF8));
}

/* Set a column of a row. */
static void
set_value(TupleTableSlot *slot, DncQueueColumn column, Datum value)
{
	slot->tts_values[column - 1] = value;
	slot->tts_isnull[column - 1] = false;
}

/* Set the columns of the values to send. */
static void
set_members(const DncStoring *storing, TupleTableSlot *slot, const DncWrite *write)
{
	const char *texts[DNC_NCOLUMNS];

	dnc_write_texts(write, texts);
	for (int i = 0; i < DNC_QUEUE_NMEMBERS; i++)
	{
		const DncQueueMember *member = &dnc_queue_members[i];

		if (texts[member->column])
			set_value(slot, member->stored, text_datum(storing, texts[member->column]));
		texts[member->column] = NULL;
	}
	for (int i = 0; i < DNC_NCOLUMNS; i++)
	{
		if (texts[i])
			elog(ERROR, "the queue has no column for \"%s\"", dnc_column_name(i));
	}
}

/*
 * Prepare the values that all rows of a target share.  This transaction may have dropped the
 * target's table or role meanwhile: then we store an empty name.
 */
static void
enter_target(DncStoring *storing, const DncTarget *target)
{
	MemoryContext before = MemoryContextSwitchTo(storing->estate->es_query_cxt);
	const char *role = GetUserNameFromId(target->userid, true);
	const char *relation = get_rel_name(target->relid);

	storing->target = target;
	namestrcpy(&storing->server, target->options->server_name);
	namestrcpy(&storing->role, role ? role : "");
	if (relation)
		relation = quote_qualified_identifier(get_namespace_name(get_rel_namespace(target->relid)),
											  relation);
	storing->relation = CStringGetTextDatum(relation ? relation : "");
	storing->account = CStringGetTextDatum(dnc_queue_account(target->options));
	storing->address = CStringGetTextDatum(dnc_queue_address(target->options));
	MemoryContextSwitchTo(before);
}

/* Fill in the row for a write, except for columns that only one table or one action has. */
static void
fill_row(DncStoring *storing, TupleTableSlot *slot, const DncWrite *write)
{
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, sizeof(bool) * tables[storing->table].columns);
	set_value(slot, DNC_QUEUE_INSTANCE, UUIDPGetDatum(&storing->origin.instance));
	set_value(slot, DNC_QUEUE_ID, Int64GetDatum(nextval_internal(storing->sequence, false)));
	set_value(slot, DNC_QUEUE_DATABASE, ObjectIdGetDatum(storing->origin.database));
	set_value(slot, DNC_QUEUE_SYSTEM, Int64GetDatum(storing->origin.system));
	set_value(slot, DNC_QUEUE_TIMELINE, Int32GetDatum(storing->origin.timeline));
	set_value(slot, DNC_QUEUE_SERVER, NameGetDatum(&storing->server));
	set_value(slot, DNC_QUEUE_RELATION, ObjectIdGetDatum(write->target->relid));
	set_value(slot, DNC_QUEUE_RELATION_NAME, storing->relation);
	set_value(slot, DNC_QUEUE_ROLE, ObjectIdGetDatum(write->target->userid));
	set_value(slot, DNC_QUEUE_ROLE_NAME, NameGetDatum(&storing->role));
	set_value(slot, DNC_QUEUE_ACCOUNT, storing->account);
	set_value(slot, DNC_QUEUE_ADDRESS, storing->address);
	set_value(slot, DNC_QUEUE_ACTION, storing->actions[write->action]);
	set_members(storing, slot, write);
	set_value(slot, DNC_QUEUE_XID, FullTransactionIdGetDatum(storing->xid));
	set_value(slot, DNC_QUEUE_STATE, storing->state);
	set_value(slot, DNC_QUEUE_ATTEMPTS, Int32GetDatum(tables[storing->table].attempts));
	set_value(slot, DNC_QUEUE_UNCLEAR, BoolGetDatum(false));
	set_value(slot, DNC_QUEUE_NEXT_TRY, TimestampTzGetDatum(storing->now));
	set_value(slot, DNC_QUEUE_QUEUED_AT, TimestampTzGetDatum(storing->now));
}

/* ----- inserting ----- */

/* Insert the rows that were filled in, with their index entries. */
static void
insert_rows(DncStoring *storing)
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

/*
 * Begin the row for a write.  Switches to the memory context of the rows, and returns the previous
 * context for end_row().
 */
static MemoryContext
begin_row(DncStoring *storing, const DncWrite *write, TupleTableSlot **slot)
{
	Relation	table = storing->result->ri_RelationDesc;
	MemoryContext before = MemoryContextSwitchTo(storing->estate->es_query_cxt);

	if (write->target != storing->target)
		enter_target(storing, write->target);
	if (storing->nslots == storing->made)
		storing->slots[storing->made++] = table_slot_create(table, NULL);
	*slot = storing->slots[storing->nslots];
	MemoryContextSwitchTo(storing->row_context);
	fill_row(storing, *slot, write);
	return before;
}

/* End a row that is filled in, and insert the rows if there are enough. */
static void
end_row(DncStoring *storing, TupleTableSlot *slot, MemoryContext before)
{
	ExecStoreVirtualTuple(slot);
	ExecMaterializeSlot(slot);
	storing->nslots++;
	MemoryContextSwitchTo(before);
	if (storing->nslots == ROWS_AT_ONCE)
		insert_rows(storing);
}

/* ----- the interface ----- */

/*
 * Open a table of the queue for our insertions, which run no code of a user.  The result has a
 * memory context of its own, below the current one.  dnc_store_end() has to follow, unless an error
 * ends the transaction.  Raises 55000 if the SQL objects of the queue are missing.
 */
DncStoring *
dnc_store_begin(DncStoreTable table)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw queue store",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	DncStoring *storing = palloc0(sizeof(DncStoring));
	Relation	relation;

	dnc_queue_require();
	relation = table_open(dnc_queue_relation(tables[table].name), RowExclusiveLock);
	if (RelationGetNumberOfAttributes(relation) != tables[table].columns)
		elog(ERROR, "table \"%s\" has other columns than this library knows",
			 RelationGetRelationName(relation));
	PushActiveSnapshot(GetTransactionSnapshot());
	storing->context = context;
	storing->table = table;
	storing->estate = CreateExecutorState();
	storing->result = makeNode(ResultRelInfo);
	InitResultRelInfo(storing->result, relation, 0, NULL, 0);
	ExecOpenIndices(storing->result, false);
	storing->sequence = dnc_queue_relation("dnc_fdw_queue_id");
	dnc_queue_origin(&storing->origin);
	storing->xid = GetTopFullTransactionId();
	storing->now = GetCurrentTimestamp();
	storing->actions[DNC_ACTION_ADD] = CStringGetTextDatum("add");
	storing->actions[DNC_ACTION_REMOVE] = CStringGetTextDatum("delete");
	storing->state = CStringGetTextDatum(tables[table].state);
	storing->slots = palloc(sizeof(TupleTableSlot *) * ROWS_AT_ONCE);
	storing->row_context = AllocSetContextCreate(context, "dnc_fdw queue rows",
												 ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(before);
	return storing;
}

/* Store a waiting write.  seen is the snapshot of a removal's statement; NULL for an addition. */
void
dnc_store_waiting(DncStoring *storing, const DncWrite *write, const DncSeen *seen)
{
	TupleTableSlot *slot;
	MemoryContext before = begin_row(storing, write, &slot);

	set_value(slot, DNC_QUEUE_MATCH_KEY, CStringGetTextDatum(dnc_queue_key(write)));
	if (seen)
	{
		set_value(slot, DNC_QUEUE_SNAPSHOT, seen->snapshot);
		set_value(slot, DNC_QUEUE_SEEN_AT, TimestampTzGetDatum(seen->at));
	}
	end_row(storing, slot, before);
}

/*
 * The match key for a write that the vendor has taken, so that we must not raise an error any
 * more.  A removal by id alone has the empty key.  If we cannot load the library for phone
 * numbers, the key is the cleaned text itself, which is among the keys of each contact.
 */
static const char *
key_of_taken(const DncWrite *write)
{
	const char *identifier = dnc_write_value(write, DNC_COL_IDENTIFIER);
	bool		whole;

	if (identifier == NULL)
		return "";
	if (dnc_phone_load_possible())
		return dnc_queue_key(write);
	return dnc_match_to_server(dnc_text_join("raw:", dnc_text_lower(dnc_text_clean(identifier))),
							   &whole);
}

/* Store a write that the vendor has acknowledged, with the data of its request. */
void
dnc_store_finished(DncStoring *storing, const DncWrite *write, const DncAcknowledged *request)
{
	TupleTableSlot *slot;
	MemoryContext before = begin_row(storing, write, &slot);
	const char *message = dnc_queue_done_message(write->action == DNC_ACTION_ADD,
													 request->unchanged);
	const char *credential = dnc_queue_credential(write->target->options);

	set_value(slot, DNC_QUEUE_MATCH_KEY, CStringGetTextDatum(key_of_taken(write)));
	if (request->status != 0)
		set_value(slot, DNC_QUEUE_HTTP_STATUS, Int32GetDatum(request->status));
	if (message)
		set_value(slot, DNC_QUEUE_MESSAGE, CStringGetTextDatum(message));
	if (request->requested != 0)
		set_value(slot, DNC_QUEUE_REQUESTED_AT, TimestampTzGetDatum(request->requested));
	set_value(slot, DNC_QUEUE_DONE_AT, TimestampTzGetDatum(request->answered));
	if (credential)
		set_value(slot, DNC_QUEUE_SENT_WITH, CStringGetTextDatum(credential));
	end_row(storing, slot, before);
}

/* Insert the remaining rows, close the table, and free *storing. */
void
dnc_store_end(DncStoring *storing)
{
	insert_rows(storing);
	for (int i = 0; i < storing->made; i++)
		ExecDropSingleTupleTableSlot(storing->slots[i]);
	ExecCloseIndices(storing->result);
	table_close(storing->result->ri_RelationDesc, NoLock);
	FreeExecutorState(storing->estate);
	PopActiveSnapshot();
	MemoryContextDelete(storing->context);
}
