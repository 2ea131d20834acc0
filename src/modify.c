/*-------------------------------------------------------------------------
 *
 * modify.c
 *		INSERT, COPY and DELETE: rows, checked, into the outbox.
 *
 * What can be known to be wrong is an error of the statement, before anything
 * waits: a value that the API refuses, one that it would ignore, one that only
 * the remote can give.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "nodes/makefuncs.h"
#include "optimizer/appendinfo.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "modify.h"

struct DncModify
{
	Relation	relation;
	bool		skip_listed;
	DncTarget  *target;
	const DncOptions *options;
	const DncWriteCall *write;
	DncColumnMap *map;
	Oid		   *output;			/* by attribute: its type's output function */
	AttrNumber	members[DNC_MAX_MEMBERS];	/* by member of the call; 0: not in the table */
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
	DncOptions *options = dnc_options_load(GetForeignServerIdByRelId(relid), relid);

	return options->updatable ? (1 << CMD_INSERT) | (1 << CMD_DELETE) : 0;
}

/* May an INSERT give a value of this column back? */
static bool
can_be_returned(const DncProvider *provider, DncColumn column)
{
	const DncField *field = dnc_provider_field(provider, column);

	if (column == DNC_COL_ATTRS)
		return false;
	if (field == NULL || field->name == NULL)
		return true;			/* NULL, or the same for every entry */
	for (int i = 0; provider->add.members[i].name; i++)
	{
		if (provider->add.members[i].column == column)
			return true;
	}
	return false;
}

/*
 * Refuse an INSERT ... RETURNING of columns that only the remote knows.  The
 * list is that of this table; columns of other tables in it are left alone.
 */
static void
check_returning(DncModify *modify, List *returning)
{
	ListCell   *lc;

	foreach(lc, pull_var_clause((Node *) returning, PVC_INCLUDE_PLACEHOLDERS))
	{
		Var		   *var = lfirst_node(Var, lc);

		if (IS_SPECIAL_VARNO(var->varno))
			continue;
		for (int i = 0; i < modify->map->natts; i++)
		{
			DncColumn	column = modify->map->columns[i];

			if (column == DNC_COL_NONE || (var->varattno != 0 && var->varattno != i + 1))
				continue;
			if (!can_be_returned(modify->options->provider, column))
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("INSERT cannot return column \"%s\" of foreign table \"%s\"",
								NameStr(TupleDescAttr(RelationGetDescr(modify->relation), i)->attname),
								RelationGetRelationName(modify->relation)),
						 errdetail("Only server \"%s\" knows its value, once the entry has been sent.",
								   modify->options->server_name),
						 errhint("RETURNING gives back what was sent. Query the table after COMMIT.")));
			if (column == DNC_COL_SOURCE)
				modify->source_attno = i + 1;
		}
	}
}

/* The attributes of the members of the call; an error if a removal lacks one. */
static void
find_members(DncModify *modify, DncAction action)
{
	for (int i = 0; modify->write->members[i].name; i++)
	{
		DncColumn	column = modify->write->members[i].column;

		modify->members[i] = dnc_column_attnum(modify->map, column);
		if (modify->members[i] == 0 && action == DNC_ACTION_REMOVE)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot delete from foreign table \"%s\" without a column \"%s\"",
							RelationGetRelationName(modify->relation), dnc_column_name(column)),
					 errdetail("Server \"%s\" needs it to remove an entry.",
							   modify->options->server_name),
					 errhint("ALTER FOREIGN TABLE ... ADD COLUMN %s text;",
							 dnc_column_name(column))));
	}
}

/*
 * Set up the writing to a table; palloc'd in the current context.  returning
 * is the statement's list for this table, or NIL; skip_listed says ON CONFLICT DO
 * NOTHING; subplan is what a DELETE's rows come from.  Raises 28000 where there is no token.
 */
DncModify *
dnc_modify_begin(ResultRelInfo *result, EState *estate, DncAction action, List *returning,
				 bool skip_listed, Plan *subplan)
{
	DncModify  *modify = palloc0(sizeof(DncModify));
	Relation	relation = result->ri_RelationDesc;
	TupleDesc	desc = RelationGetDescr(relation);
	Oid			relid = RelationGetRelid(relation);

	modify->relation = relation;
	modify->skip_listed = skip_listed;
	modify->target = dnc_outbox_target(GetForeignServerIdByRelId(relid), relid,
									   dnc_modify_user(result, estate));
	modify->options = modify->target->options;
	modify->write = action == DNC_ACTION_ADD ? &modify->options->provider->add
		: &modify->options->provider->remove;
	modify->map = dnc_column_map(relid, RelationGetRelationName(relation), desc);
	modify->output = palloc0(sizeof(Oid) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		bool		varlena;

		if (modify->map->columns[i] != DNC_COL_NONE)
			getTypeOutputInfo(TupleDescAttr(desc, i)->atttypid, &modify->output[i], &varlena);
	}
	find_members(modify, action);
	if (action == DNC_ACTION_ADD)
		check_returning(modify, returning);
	else
		modify->row_attno = ExecFindJunkAttributeInTlist(subplan->targetlist, "wholerow");
	if (modify->source_attno)
		modify->returned = ExecInitExtraTupleSlot(estate, desc, &TTSOpsVirtual);
	modify->row_context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw row",
												ALLOCSET_SMALL_SIZES);
	return modify;
}

/* The name of a table's attribute, for messages. */
static const char *
attribute_name(DncModify *modify, AttrNumber attnum)
{
	return NameStr(TupleDescAttr(RelationGetDescr(modify->relation), attnum - 1)->attname);
}

/* Refuse a value that cannot be sent, in an attribute that is not NULL. */
static void
check_attribute(DncModify *modify, AttrNumber attnum, const char *value)
{
	DncColumn	column = modify->map->columns[attnum - 1];
	const DncField *field = dnc_provider_field(modify->options->provider, column);
	const char *constant = column == DNC_COL_SOURCE ? modify->options->server_name
		: field ? field->constant : NULL;

	for (int i = 0; modify->write->members[i].name; i++)
	{
		if (modify->members[i] == attnum)
			return;
	}
	if (constant && strcmp(constant, value) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("column \"%s\" of foreign table \"%s\" cannot be given",
					attribute_name(modify, attnum), RelationGetRelationName(modify->relation)),
			 constant ? errdetail("With server \"%s\" it is always \"%s\".",
								  modify->options->server_name, constant)
			 : field || column == DNC_COL_ATTRS
			 ? errdetail("Server \"%s\" sets it by itself.", modify->options->server_name)
			 : errdetail("Server \"%s\" has no such field: the value would be lost.",
						 modify->options->server_name),
			 errhint("Leave the column out.")));
}

/* Refuse a member that is missing, or whose value the API does not take. */
static void
check_member(DncModify *modify, int index, const char *value)
{
	const DncMember *member = &modify->write->members[index];
	const DncProvider *provider = modify->options->provider;

	if (value == NULL && member->required)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("null value in column \"%s\" of foreign table \"%s\"",
						dnc_column_name(member->column),
						RelationGetRelationName(modify->relation)),
				 errdetail("Server \"%s\" cannot add or remove an entry without it.",
						   modify->options->server_name),
				 modify->members[index] == 0
				 ? errhint("ALTER FOREIGN TABLE ... ADD COLUMN %s text;",
						   dnc_column_name(member->column))
				 : errhint("Give the column a value.")));
	if (value && member->required && *value == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("empty value in column \"%s\" of foreign table \"%s\"",
						dnc_column_name(member->column),
						RelationGetRelationName(modify->relation)),
				 errdetail("Server \"%s\" cannot add or remove an entry without it.",
						   modify->options->server_name),
				 errhint("Give the column a value, or leave the row out.")));
	if (value && member->column == DNC_COL_IDENTIFIER_TYPE && !dnc_provider_has_type(provider, value))
	{
		StringInfoData known;

		initStringInfo(&known);
		for (const char *const *type = provider->identifier_types; *type; type++)
			appendStringInfo(&known, "%s%s", known.len > 0 ? ", " : "", *type);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("server \"%s\" does not know the identifier type \"%s\"",
						modify->options->server_name, value),
				 errdetail("Its types are: %s.", known.data),
				 errhint("Map the type to one of these, or leave the row out.")));
	}
}

/* The values of the call's members from a row's attributes, palloc'd. */
static void
member_values(DncModify *modify, Datum *values, bool *nulls, const char **members)
{
	memset(members, 0, sizeof(char *) * DNC_MAX_MEMBERS);
	for (int i = 0; modify->write->members[i].name; i++)
	{
		AttrNumber	attnum = modify->members[i];

		if (attnum != 0 && !nulls[attnum - 1])
			members[i] = OidOutputFunctionCall(modify->output[attnum - 1], values[attnum - 1]);
	}
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
													   unconstify(char *, modify->options->server_name),
													   ioparam, att->atttypmod);
	returned->tts_isnull[index] = false;
	return returned;
}

/*
 * Let a row wait for COMMIT.  Gives back the row that RETURNING sees.  Raises
 * 23502 and 22023 for what cannot be sent.
 */
TupleTableSlot *
dnc_modify_insert(DncModify *modify, TupleTableSlot *slot)
{
	const char *members[DNC_MAX_MEMBERS];
	MemoryContext before;

	slot_getallattrs(slot);
	MemoryContextReset(modify->row_context);
	before = MemoryContextSwitchTo(modify->row_context);
	for (int i = 0; i < modify->map->natts; i++)
	{
		if (modify->map->columns[i] != DNC_COL_NONE && !slot->tts_isnull[i])
			check_attribute(modify, i + 1,
							OidOutputFunctionCall(modify->output[i], slot->tts_values[i]));
	}
	member_values(modify, slot->tts_values, slot->tts_isnull, members);
	for (int i = 0; modify->write->members[i].name; i++)
		check_member(modify, i, members[i]);
	dnc_outbox_add(modify->target, members, modify->skip_listed);
	if (modify->source_attno)
		slot = fill_in_source(modify, slot);
	MemoryContextSwitchTo(before);
	return slot;
}

/*
 * Let the removal of a row that the plan found wait for COMMIT.  Gives back
 * the row for RETURNING in *slot; NULL: it is being removed already.
 */
TupleTableSlot *
dnc_modify_delete(DncModify *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	TupleDesc	desc = RelationGetDescr(modify->relation);
	const char *members[DNC_MAX_MEMBERS];
	MemoryContext before;
	HeapTupleHeader header;
	HeapTupleData tuple;
	bool		isnull;
	bool		queued;
	Datum		row = ExecGetJunkAttribute(plan_slot, modify->row_attno, &isnull);

	if (isnull)
		elog(ERROR, "row to be deleted is NULL");
	ExecClearTuple(slot);
	MemoryContextReset(modify->row_context);
	before = MemoryContextSwitchTo(modify->row_context);
	header = DatumGetHeapTupleHeader(row);
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, desc, slot->tts_values, slot->tts_isnull);
	ExecStoreVirtualTuple(slot);

	member_values(modify, slot->tts_values, slot->tts_isnull, members);
	for (int i = 0; modify->write->members[i].name; i++)
		check_member(modify, i, members[i]);
	queued = dnc_outbox_remove(modify->target, members);
	MemoryContextSwitchTo(before);
	return queued ? slot : NULL;
}

/*
 * The write request as EXPLAIN shows it: "POST path"; *batch is how many
 * entries it takes.  palloc'd.
 */
char *
dnc_modify_request_text(Relation relation, DncAction action, int *batch)
{
	Oid			relid = RelationGetRelid(relation);
	DncOptions *options = dnc_options_load(GetForeignServerIdByRelId(relid), relid);
	const DncWriteCall *write = action == DNC_ACTION_ADD ? &options->provider->add
		: &options->provider->remove;

	*batch = action == DNC_ACTION_ADD ? options->batch_size : write->batch;
	return psprintf("%s %s", write->method, write->path);
}
