/*-------------------------------------------------------------------------
 *
 * modify.c
 *		INSERT, COPY and DELETE: rows, checked, on their way to the list.
 *
 * Each row is checked when its statement runs, and handed to a route.  The route knows
 * whether the row waits for COMMIT or is sent at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "nodes/makefuncs.h"
#include "optimizer/appendinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "plan/bound.h"
#include "write/modify.h"
#include "write/route.h"
#include "write/row_check.h"
#include "write/row_identity.h"
#include "write/transaction.h"

struct DncModify
{
	Relation	relation;
	bool		skip_listed;
	const DncOptions *options;
	DncRoute   *route;
	CommandId	command;
	DncRowCheck *row;
	AttrNumber	row_attno;		/* DELETE: the whole row in the plan's output */
	DncBound   *bound;			/* DELETE: NULL: the table is no partition, so all entries are
								 * within */
	AttrNumber	tid_attno;		/* DELETE: the ctid there; 0: the row names its entry */
	DncRowIdentity *identity;	/* DELETE: the entries that its scan has seen; NULL: the row says
								 * all */
	AttrNumber	source_attno;	/* INSERT ... RETURNING source; 0: not returned */
	TupleTableSlot *returned;	/* INSERT: holds a row whose returned values differ from the
								 * given ones */
	MemoryContext row_context;	/* reset with each row */
};

/* Does the ctid of a table's rows say which entries they stand for? */
static bool
is_identity_carried(Relation relation, const DncOptions *options)
{
	TupleDesc	desc = RelationGetDescr(relation);

	return dnc_row_identity_is_carried(options->provider,
									   dnc_column_map(RelationGetRelid(relation),
													  RelationGetRelationName(relation), desc),
									   desc);
}

/*
 * DELETE finds its rows by an ordinary scan.  The scan has to give the whole row, which RETURNING
 * shows.  A removal takes its values from the whole row, or finds them by the ctid.
 */
void
dnc_modify_add_row_identity(PlannerInfo *root, Index rtindex, Relation relation)
{
	Oid			relid = RelationGetRelid(relation);

	add_row_identity_var(root, makeVar(rtindex, InvalidAttrNumber, RECORDOID, -1, InvalidOid, 0),
						 rtindex, "wholerow");
	if (is_identity_carried(relation, dnc_options_load(GetForeignServerIdByRelId(relid), relid)))
		add_row_identity_var(root, makeVar(rtindex, SelfItemPointerAttributeNumber, TIDOID, -1,
										   InvalidOid, 0),
							 rtindex, "ctid");
}

/*
 * Refuse an UPDATE (0A000) when it is planned.  PostgreSQL would refuse it later, but could not
 * tell the user how to go on.
 */
void
dnc_modify_refuse_update(Relation relation)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot update foreign table \"%s\"", RelationGetRelationName(relation)),
			 errdetail("The vendors' APIs can add and remove entries, but not change them."),
			 errhint("To correct an identifier, add the right one before you delete the wrong one.  To correct another column, delete the entry, COMMIT, and add it again.")));
}

/* The commands that a table takes, as a mask for IsForeignRelUpdatable. */
int
dnc_modify_supported(Relation relation)
{
	Oid			relid = RelationGetRelid(relation);
	const DncOptions *options = dnc_options_load(GetForeignServerIdByRelId(relid), relid);

	return options->updatable ? (1 << CMD_INSERT) | (1 << CMD_DELETE) : 0;
}

/*
 * DELETE: find where the plan's output says which entry a row stands for, and which rows may be
 * removed through the table.
 */
static void
find_row_identity(DncModify *modify, ResultRelInfo *result, EState *estate, List *tlist)
{
	DncColumnMap *map = dnc_column_map(RelationGetRelid(modify->relation),
									   RelationGetRelationName(modify->relation),
									   RelationGetDescr(modify->relation));

	modify->row_attno = ExecFindJunkAttributeInTlist(tlist, "wholerow");
	modify->identity = dnc_row_identity_find(estate, result->ri_RangeTableIndex);
	modify->bound = dnc_bound_begin(modify->relation, modify->options, map, estate);
	if (!is_identity_carried(modify->relation, modify->options))
		return;
	modify->tid_attno = ExecFindJunkAttributeInTlist(tlist, "ctid");
}

/*
 * Set up the writing to a table; palloc'd in the current context.  returning is the
 * statement's list for this table, or NIL; plan is NULL for COPY.  Raises 28000 where
 * there is no token, 0A000 for statements that a table or its route does not allow, and
 * 25006 in a read-only transaction.
 */
DncModify *
dnc_modify_begin(ResultRelInfo *result, EState *estate, DncAction action, List *returning,
				 ModifyTable *plan)
{
	DncModify  *modify = palloc0(sizeof(DncModify));
	DncRouteStatement statement = {.result = result, .estate = estate, .action = action,
	.plan = plan};
	Relation	relation = result->ri_RelationDesc;
	Oid			relid = RelationGetRelid(relation);
	Oid			serverid = GetForeignServerIdByRelId(relid);
	const DncTarget *target;

	/* PostgreSQL excepts temporary tables, but the list of this one is not temporary. */
	PreventCommandIfReadOnly(action == DNC_ACTION_REMOVE ? "DELETE"
							 : plan ? "INSERT" : "COPY FROM");
	target = dnc_transaction_target(serverid, relid, dnc_modify_user(result, estate));
	modify->relation = relation;
	modify->skip_listed = plan && plan->onConflictAction == ONCONFLICT_NOTHING;
	modify->options = target->options;
	/* COPY has no plan that would have taken a command number. */
	modify->command = plan ? estate->es_output_cid : GetCurrentCommandId(true);
	modify->row = dnc_row_check_make(relation, modify->options, action);
	if (action == DNC_ACTION_ADD)
		modify->source_attno = dnc_row_check_returning(modify->row, returning);
	else
		find_row_identity(modify, result, estate, outerPlan(plan)->targetlist);
	if (action == DNC_ACTION_ADD)
		modify->returned = ExecInitExtraTupleSlot(estate, RelationGetDescr(relation),
												  &TTSOpsVirtual);
	modify->route = dnc_route_begin(target, &statement);
	modify->row_context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw row",
												ALLOCSET_SMALL_SIZES);
	return modify;
}

/* The row for RETURNING, with a text of ours in one column. */
static TupleTableSlot *
fill_in(DncModify *modify, TupleTableSlot *slot, AttrNumber attnum, const char *text)
{
	TupleTableSlot *returned = modify->returned;
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(modify->relation), attnum - 1);
	Oid			input;
	Oid			ioparam;

	if (slot != returned)
		ExecCopySlot(returned, slot);
	slot_getallattrs(returned);
	getTypeInputInfo(att->atttypid, &input, &ioparam);
	returned->tts_values[attnum - 1] = OidInputFunctionCall(input, unconstify(char *, text), ioparam,
															att->atttypmod);
	returned->tts_isnull[attnum - 1] = false;
	return returned;
}

/*
 * Check an addition that repeats an earlier addition of this transaction.  Raises 23505 where the
 * API will refuse the second one.
 */
static void
check_repetition(const DncModify *modify)
{
	const DncOptions *options = modify->options;

	if (options->provider->add.unchanged_status != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("an entry is added twice to the list of server \"%s\"",
						options->server_name),
				 errdetail("This transaction has added it already, and the API refuses to add what is listed."),
				 errhint("INSERT ... ON CONFLICT DO NOTHING leaves out what is listed.")));
}

/*
 * Refuse (23505) to add an entry with one type after this transaction has added it with another,
 * where the API keeps an entry only once: the second addition would be lost.
 */
static void
refuse_other_type(const DncModify *modify, const DncPendingWrite *waiting)
{
	const DncOptions *options = modify->options;
	const char *type = dnc_write_value(&waiting->write, DNC_COL_IDENTIFIER_TYPE);
	const DncPendingWrite *addition = waiting->previous;
	const char *before;

	while (addition->write.action != DNC_ACTION_ADD)
		addition = addition->previous;
	before = dnc_write_value(&addition->write, DNC_COL_IDENTIFIER_TYPE);
	if (type == NULL || before == NULL || strcmp(type, before) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("an entry is added with two types to the list of server \"%s\"",
					options->server_name),
			 errdetail("This transaction adds it as \"%s\" already.  The API keeps an entry only once, and skips the one of type \"%s\".",
					   before, type),
			 errhint("Add the entry with one of the types.")));
}

/*
 * Hand a row to its route.  Gives back the row that RETURNING sees; NULL: the row is left out,
 * since ON CONFLICT DO NOTHING was said and the entry is being added already.  While a DELETE
 * runs, such a row waits too: if the DELETE takes back the earlier addition, this one stays.
 * Raises 23502, 22023 and 23505 for rows that cannot be sent, and the errors of
 * dnc_route_flush().
 */
TupleTableSlot *
dnc_modify_insert(DncModify *modify, TupleTableSlot *slot)
{
	const char *members[DNC_MAX_MEMBERS];
	MemoryContext before;
	DncPendingWrite *waiting;
	AttrNumber	trimmed;
	const char *identifier;
	bool		repeats;

	slot_getallattrs(slot);
	MemoryContextReset(modify->row_context);
	before = MemoryContextSwitchTo(modify->row_context);
	dnc_row_check_attributes(modify->row, slot);
	dnc_row_check_values(modify->row, slot, members);
	trimmed = dnc_row_check_trim(modify->row, members, &identifier);
	dnc_row_check_members(modify->row, members);
	waiting = dnc_route_add(modify->route, DNC_ACTION_ADD, members, modify->command);
	waiting->skip_listed = modify->skip_listed;
	repeats = dnc_pending_repeats(waiting);
	if (repeats)
		refuse_other_type(modify, waiting);
	if (repeats && modify->skip_listed)
	{
		waiting->repeated = true;
		if (!dnc_route_is_removal_open(modify->route))
			dnc_pending_drop_last(modify->route->pending);
		MemoryContextSwitchTo(before);
		return NULL;
	}
	if (repeats)
		check_repetition(modify);
	if (modify->source_attno)
		slot = fill_in(modify, slot, modify->source_attno, modify->options->server_name);
	if (trimmed)
		slot = fill_in(modify, slot, trimmed, identifier);
	dnc_route_flush(modify->route);
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

/* The values of a removal, in members[DNC_MAX_MEMBERS], for a row that the plan has found. */
static void
fetch_removal(DncModify *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot,
			  const char **members)
{
	bool		isnull;
	Datum		tid;

	if (modify->tid_attno == 0)
	{
		dnc_row_check_values(modify->row, slot, members);
		return;
	}
	tid = ExecGetJunkAttribute(plan_slot, modify->tid_attno, &isnull);
	if (isnull || modify->identity == NULL)
		elog(ERROR, "row to be deleted has no ctid");
	dnc_row_identity_members(modify->identity, (ItemPointer) DatumGetPointer(tid), members);
}

/*
 * Hand the removal of a row that the plan has found to the route.  Gives back the row for
 * RETURNING in *slot; NULL: the entry is being removed already.  Raises 23502 where the row does
 * not name an entry, 23514 where the row is outside of the partition's bound, 22023 where no
 * request can name the entry, and the errors of dnc_route_flush().
 */
TupleTableSlot *
dnc_modify_delete(DncModify *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	const char *members[DNC_MAX_MEMBERS];
	MemoryContext before;
	DncPendingWrite *waiting;

	MemoryContextReset(modify->row_context);
	before = MemoryContextSwitchTo(modify->row_context);
	fetch_deleted_row(modify, plan_slot, slot);
	if (modify->bound)
		dnc_bound_refuse_removal(modify->bound, slot);
	fetch_removal(modify, slot, plan_slot, members);
	waiting = dnc_route_add(modify->route, DNC_ACTION_REMOVE, members, modify->command);
	if (modify->identity)
		dnc_row_identity_remove(modify->identity, &waiting->write);
	if (dnc_pending_repeats(waiting))
	{
		dnc_pending_drop_last(modify->route->pending);
		MemoryContextSwitchTo(before);
		return NULL;
	}
	/* An entry that our own transaction has added has no id, and its removal is not sent. */
	if (!dnc_pending_takes_back(waiting))
		dnc_row_check_members(modify->row, members);
	dnc_route_flush(modify->route);
	MemoryContextSwitchTo(before);
	return slot;
}

/*
 * The statement is over.  Raises 0A000 where it would remove more entries than it means, and the
 * errors of dnc_route_end().
 */
void
dnc_modify_end(DncModify *modify)
{
	if (modify->identity)
		dnc_row_identity_check(modify->identity);
	(void) dnc_route_end(modify->route);
}

/* The write request for EXPLAIN, "POST path"; *batch: how many entries it takes.  palloc'd. */
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
