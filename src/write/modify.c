/*-------------------------------------------------------------------------
 *
 * modify.c
 *		INSERT, COPY and DELETE: rows into the outbox, or on their way at once.
 *
 * With write_mode 'immediate' a statement has a queue of its own: additions go
 * out as batches fill, removals when the statement is over, and with it the
 * scan that they were found by.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "nodes/makefuncs.h"
#include "optimizer/appendinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "write/commit.h"
#include "write/modify.h"
#include "write/row_check.h"
#include "write/transaction.h"

struct DncModify
{
	Relation	relation;
	bool		skip_listed;
	DncTarget  *target;
	DncPending   *queue;			/* the transaction's, or the statement's own */
	int			full;			/* send the additions when there are so many; 0: do not */
	CommandId	command;
	CommandId	seen;			/* DELETE: its scan sees the commands before this one */
	DncRowCheck	   *row;
	AttrNumber	row_attno;		/* DELETE: the whole row in the plan's output */
	AttrNumber	source_attno;	/* INSERT ... RETURNING source; 0: not returned */
	TupleTableSlot *returned;	/* holds the row when source is filled in */
	MemoryContext row_context;	/* reset with each row */
};

/*
 * DELETE finds its rows by an ordinary scan, which has to give the whole row:
 * what the entry is removed by is in it, and what RETURNING shows.
 */
void
dnc_modify_add_row_identity(PlannerInfo *root, Index rtindex)
{
	add_row_identity_var(root, makeVar(rtindex, InvalidAttrNumber, RECORDOID, -1, InvalidOid, 0),
						 rtindex, "wholerow");
}

/* Which commands a table takes, as a mask for IsForeignRelUpdatable. */
int
dnc_modify_supported(Relation relation)
{
	Oid			relid = RelationGetRelid(relation);
	const DncOptions *options = dnc_options_load(GetForeignServerIdByRelId(relid), relid);

	return options->updatable ? (1 << CMD_INSERT) | (1 << CMD_DELETE) : 0;
}

/* Does a statement read lists of a server, beside writing to one? */
static bool
reads_server(ResultRelInfo *result, EState *estate, Oid serverid)
{
	for (Index rti = 1; rti <= estate->es_range_table_size; rti++)
	{
		RangeTblEntry *rte = exec_rt_fetch(rti, estate);

		if (rti != result->ri_RangeTableIndex && rte->rtekind == RTE_RELATION &&
			rte->relkind == RELKIND_FOREIGN_TABLE &&
			GetForeignServerIdByRelId(rte->relid) == serverid)
			return true;
	}
	return false;
}

/*
 * The queue of another part of the same statement that writes to the server at once;
 * NULL: there is none.  WITH may delete what the rest of the statement adds again, and
 * the parts end in another order than they ran in.
 */
static DncPending *
queue_of_part(EState *estate, Oid serverid)
{
	ListCell   *lc;

	foreach(lc, estate->es_auxmodifytables)
	{
		ModifyTableState *part = lfirst_node(ModifyTableState, lc);

		for (int i = 0; i < part->mt_nrels; i++)
		{
			ResultRelInfo *result = &part->resultRelInfo[i];
			DncModify  *modify = result->ri_FdwState;

			if (modify && result->ri_RelationDesc->rd_rel->relkind == RELKIND_FOREIGN_TABLE &&
				GetForeignServerIdByRelId(RelationGetRelid(result->ri_RelationDesc)) == serverid &&
				modify->queue != modify->target->queue)
				return modify->queue;
		}
	}
	return NULL;
}

/*
 * Where the rows of a statement go.  Raises 0A000 where they would overtake
 * writes that wait for COMMIT.
 */
static void
choose_queue(DncModify *modify, ResultRelInfo *result, EState *estate, DncAction action,
			 const ModifyTable *plan)
{
	const DncOptions *options = modify->target->options;

	modify->queue = modify->target->queue;
	if (options->write_mode == DNC_WRITE_COMMIT)
		return;
	dnc_modify_refuse_overtaking(modify->target, RelationGetRelationName(modify->relation));
	modify->queue = queue_of_part(estate, options->serverid);
	if (modify->queue)
		return;
	modify->queue = dnc_pending_make(CurrentMemoryContext, options->serverid);

	/*
	 * Additions that were sent while the statement still reads the list could
	 * be read by it; and PostgreSQL looks at a view's WITH CHECK OPTION only
	 * after it has handed us the row.  What takes one entry a request goes out
	 * several requests at a time.
	 */
	if (action == DNC_ACTION_ADD && !reads_server(result, estate, options->serverid) &&
		(plan == NULL || plan->withCheckOptionLists == NIL))
		modify->full = options->batch_size > 1 ? options->batch_size : options->max_concurrency;
}

/*
 * Refuse to send writes at once while others to the same server wait for
 * COMMIT: what was written first would arrive last (0A000).
 */
void
dnc_modify_refuse_overtaking(const DncTarget *target, const char *table)
{
	if (target->queue->count == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot write to foreign table \"%s\" at once", table),
			 errdetail("Its write_mode is 'immediate', and earlier writes of this transaction to server \"%s\" wait for COMMIT.",
					   target->options->server_name),
			 errhint("COMMIT first, or use tables of the same write_mode.")));
}

/*
 * Set up the writing to a table; palloc'd in the current context.  returning
 * is the statement's list for this table, or NIL; plan is NULL for COPY.  Raises
 * 28000 where there is no token, 0A000 for what a table or its write_mode does not
 * allow, and 25006 in a read-only transaction.
 */
DncModify *
dnc_modify_begin(ResultRelInfo *result, EState *estate, DncAction action, List *returning,
				 ModifyTable *plan)
{
	DncModify  *modify = palloc0(sizeof(DncModify));
	Relation	relation = result->ri_RelationDesc;
	Oid			relid = RelationGetRelid(relation);

	/* PostgreSQL excepts temporary tables, but the list of this one is not temporary. */
	PreventCommandIfReadOnly(action == DNC_ACTION_REMOVE ? "DELETE"
							 : plan ? "INSERT" : "COPY FROM");
	modify->relation = relation;
	modify->skip_listed = plan && plan->onConflictAction == ONCONFLICT_NOTHING;
	modify->target = dnc_transaction_target(GetForeignServerIdByRelId(relid), relid,
											dnc_modify_user(result, estate));
	if (action == DNC_ACTION_REMOVE)
		modify->seen = estate->es_snapshot->curcid;
	/* COPY has no plan that would have taken a command number. */
	modify->command = plan ? estate->es_output_cid : GetCurrentCommandId(true);
	modify->row = dnc_row_check_make(relation, modify->target->options, action);
	if (action == DNC_ACTION_ADD)
		modify->source_attno = dnc_row_check_returning(modify->row, returning);
	else
		modify->row_attno = ExecFindJunkAttributeInTlist(outerPlan(plan)->targetlist,
														 "wholerow");
	if (modify->source_attno)
		modify->returned = ExecInitExtraTupleSlot(estate, RelationGetDescr(relation),
												  &TTSOpsVirtual);
	choose_queue(modify, result, estate, action, plan);
	modify->row_context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw row",
												ALLOCSET_SMALL_SIZES);
	return modify;
}

/* The row as RETURNING shows it: with the server's name in its column. */
static TupleTableSlot *
fill_in_source(DncModify *modify, TupleTableSlot *slot)
{
	TupleTableSlot *returned = modify->returned;
	int			index = modify->source_attno - 1;
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(modify->relation), index);
	Oid			input;
	Oid			ioparam;

	ExecCopySlot(returned, slot);
	slot_getallattrs(returned);
	getTypeInputInfo(att->atttypid, &input, &ioparam);
	returned->tts_values[index] = OidInputFunctionCall(input,
													   unconstify(char *, modify->target->options->server_name),
													   ioparam, att->atttypmod);
	returned->tts_isnull[index] = false;
	return returned;
}

/*
 * An entry is added that this transaction has added already; true: leave it out.
 * Raises 23505 where the API will refuse the second one.
 */
static bool
is_repetition(DncModify *modify, const DncEntry *entry)
{
	const DncOptions *options = modify->target->options;

	if (entry->previous == NULL || entry->previous->action != DNC_ACTION_ADD)
		return false;
	if (modify->skip_listed)
		return true;
	if (options->provider->add.unchanged_status != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("an entry is added twice to the list of server \"%s\"",
						options->server_name),
				 errdetail("This transaction has added it already, and the API refuses to add what is listed."),
				 errhint("INSERT ... ON CONFLICT DO NOTHING leaves out what is listed.")));
	return false;
}

/*
 * Let a row wait, or send it when enough of them are there.  Gives back the row
 * that RETURNING sees; NULL: it is left out.  Raises 23502, 22023 and 23505 for what
 * cannot be sent, and what dnc_commit_send_now() raises.
 */
TupleTableSlot *
dnc_modify_insert(DncModify *modify, TupleTableSlot *slot)
{
	const char *members[DNC_MAX_MEMBERS];
	MemoryContext before;
	DncEntry   *entry;

	slot_getallattrs(slot);
	MemoryContextReset(modify->row_context);
	before = MemoryContextSwitchTo(modify->row_context);
	dnc_row_check_attributes(modify->row, slot);
	dnc_row_check_values(modify->row, slot, members);
	dnc_row_check_members(modify->row, members);
	entry = dnc_pending_append(modify->queue, modify->target, DNC_ACTION_ADD, members,
							   modify->command);
	entry->skip_listed = modify->skip_listed;
	if (is_repetition(modify, entry))
	{
		dnc_pending_drop_last(modify->queue);
		MemoryContextSwitchTo(before);
		return NULL;
	}
	if (modify->source_attno)
		slot = fill_in_source(modify, slot);
	if (modify->full > 0 && modify->queue->count >= modify->full)
		(void) dnc_commit_send_now(modify->queue);
	MemoryContextSwitchTo(before);
	return slot;
}

/* The row to be deleted, from the plan's output into a slot of the table. */
static void
fetch_deleted_row(DncModify *modify, TupleTableSlot *plan_slot, TupleTableSlot *slot)
{
	bool		isnull;
	Datum		row = ExecGetJunkAttribute(plan_slot, modify->row_attno, &isnull);
	HeapTupleHeader header;
	HeapTupleData tuple;

	if (isnull)
		elog(ERROR, "row to be deleted is NULL");
	ExecClearTuple(slot);
	header = DatumGetHeapTupleHeader(row);
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, RelationGetDescr(modify->relation), slot->tts_values,
					  slot->tts_isnull);
	ExecStoreVirtualTuple(slot);
}

/* Is the same entry being removed already? */
static bool
is_removed_already(const DncEntry *entry)
{
	for (const DncEntry *before = entry->previous;
		 before && before->action == DNC_ACTION_REMOVE; before = before->previous)
	{
		if (dnc_entry_removes_same(before, entry))
			return true;
	}
	return false;
}

/*
 * Let the removal of a row that the plan found wait.  Gives back the row for
 * RETURNING in *slot; NULL: it is being removed already.  Raises 23502 where
 * the row does not tell which entry is meant.
 */
TupleTableSlot *
dnc_modify_delete(DncModify *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	const char *members[DNC_MAX_MEMBERS];
	MemoryContext before;
	DncEntry   *entry;
	bool		removed;

	MemoryContextReset(modify->row_context);
	before = MemoryContextSwitchTo(modify->row_context);
	fetch_deleted_row(modify, plan_slot, slot);
	dnc_row_check_values(modify->row, slot, members);
	entry = dnc_pending_append(modify->queue, modify->target, DNC_ACTION_REMOVE, members,
							   modify->command);
	removed = is_removed_already(entry);
	if (removed)
		dnc_pending_drop_last(modify->queue);
	else if (entry->previous == NULL || entry->previous->action != DNC_ACTION_ADD)
		dnc_row_check_members(modify->row, members);
	/* An addition that the scan could not see is not what it has found. */
	else if (entry->previous->command >= modify->seen)
		entry->previous->listed = true;
	MemoryContextSwitchTo(before);
	return removed ? NULL : slot;
}

/*
 * The statement is over: send what it has left to be sent at once.  Raises what
 * dnc_commit_send_now() raises.
 */
void
dnc_modify_end(DncModify *modify)
{
	if (modify->queue != modify->target->queue)
		(void) dnc_commit_send_now(modify->queue);
}

/*
 * The write request as EXPLAIN shows it: "POST path"; *batch is how many
 * entries it takes.  palloc'd.
 */
char *
dnc_modify_request_text(Relation relation, DncAction action, int *batch)
{
	Oid			relid = RelationGetRelid(relation);
	const DncOptions *options = dnc_options_load(GetForeignServerIdByRelId(relid), relid);
	const DncWriteCall *write = action == DNC_ACTION_ADD ? &options->provider->add
		: &options->provider->remove;

	*batch = action == DNC_ACTION_ADD ? options->batch_size : write->batch;
	return psprintf("%s %s", write->method, write->path);
}
