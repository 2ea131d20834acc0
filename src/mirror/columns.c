/*-------------------------------------------------------------------------
 *
 * columns.c
 *		Are a mirror's tables as they were made?
 *
 * The tables are the user's, and so is the list.  Whoever changes them may do so, but then
 * no pass must go on: entries would be lost in silence.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteDefine.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/reltrigger.h"
#include "utils/rls.h"

#include "compat.h"
#include "config/column.h"
#include "mirror/columns.h"

/* Has a table's column the name and type of a column of the list? */
static bool
is_same(Form_pg_attribute of_list, Form_pg_attribute of_table)
{
	return !of_table->attisdropped && of_list->atttypid == of_table->atttypid &&
		of_list->atttypmod == of_table->atttypmod &&
		strcmp(NameStr(of_list->attname), NameStr(of_table->attname)) == 0;
}

/* Has a table a column like this one? */
static bool
has_column(TupleDesc desc, Form_pg_attribute of_list)
{
	bool		found = false;

	for (int i = 0; i < desc->natts && !found; i++)
		found = is_same(of_list, TupleDescAttr(desc, i));
	return found;
}

/* Raise 55000: the tables are not as they were made. */
static void
refuse(const DncMirror *mirror, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the mirror of \"%s\" does not fit its list", get_rel_name(mirror->source)),
			 errdetail_internal("%s", detail),
			 errhint("Change it back; or drop the mirror, after you have copied its history if you need it, and create it again.")));
}

/* The column of the list at a place in the mirror. */
static Form_pg_attribute
column_at(const DncMirror *mirror, int place)
{
	return TupleDescAttr(mirror->desc, list_nth_int(mirror->attributes, place) - 1);
}

/*
 * Raise 55000 if the staging table is not as dnc_fdw_mirror_create() has made it.  We fill it
 * below the executor, so that indexes on it would not know of our rows.
 */
void
dnc_columns_require_staging(const DncMirror *mirror, Relation staging)
{
	TupleDesc	desc = RelationGetDescr(staging);
	int			listed = list_length(mirror->attributes);
	bool		same = desc->natts == listed + DNC_STAGE_COLUMNS;

	if (staging->rd_rel->relkind != RELKIND_RELATION || RelationGetIndexList(staging) != NIL)
		refuse(mirror, "The staging table is no plain table without indexes any more.");
	for (int i = 0; same && i < listed; i++)
		same = is_same(column_at(mirror, i), TupleDescAttr(desc, i));
	if (!same)
		refuse(mirror, "The columns of the foreign table, or of the staging table, have changed since the mirror was created.");
}

/* ----- what could keep entries out ----- */

/* Raise 55000: something of the owner's could keep entries out of the mirror. */
static void
refuse_loss(const DncMirror *mirror, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("a merge could lose entries of the mirror of \"%s\"", get_rel_name(mirror->source)),
			 errdetail_internal("%s", detail),
			 errhint("%s", hint)));
}

/*
 * A trigger BEFORE ... FOR EACH ROW can swallow a row or change it.  One that runs AFTER cannot,
 * nor can one of a statement.  What session_replication_role turns off may be turned on again.
 */
static void
require_no_trigger(const DncMirror *mirror, Relation table)
{
	const TriggerDesc *triggers = table->trigdesc;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_ROW(trigger->tgtype) && TRIGGER_FOR_BEFORE(trigger->tgtype) &&
			trigger->tgenabled != TRIGGER_DISABLED)
			refuse_loss(mirror, psprintf("Trigger \"%s\" of table \"%s\" runs before each row, and could drop or change it.",
										 trigger->tgname, RelationGetRelationName(table)),
						"Disable the trigger. One that runs AFTER the row may stay.");
	}
}

/* A rule can do something else instead of what we want. */
static void
require_no_rule(const DncMirror *mirror, Relation table)
{
	const RuleLock *rules = table->rd_rules;

	for (int i = 0; rules && i < rules->numLocks; i++)
	{
		if (rules->rules[i]->enabled != RULE_DISABLED)
			refuse_loss(mirror, psprintf("Table \"%s\" has a rule, which could do something else instead.",
										 RelationGetRelationName(table)),
						"Drop the rule, or disable it. A trigger that runs AFTER the row may do its work.");
	}
}

/*
 * Raise 55000 if something of the owner's could keep entries out of one of the tables, or take
 * them away.  A CHECK, a unique index or a type that an entry does not suit is an error of
 * PostgreSQL's own, and the merge changes nothing then.
 */
static void
require_lossless(const DncMirror *mirror, Relation table)
{
	const char *name = RelationGetRelationName(table);

	require_no_trigger(mirror, table);
	require_no_rule(mirror, table);
	if (RelationGetFKeyList(table) != NIL)
		refuse_loss(mirror, psprintf("Table \"%s\" has a foreign key: the list knows nothing of the other table.", name),
					"Drop the foreign key.");
	if (table->rd_rel->relhassubclass && find_inheritance_children(RelationGetRelid(table), NoLock) != NIL)
		refuse_loss(mirror, psprintf("Other tables inherit from table \"%s\": their rows would pass for entries.", name),
					"ALTER TABLE ... NO INHERIT these.");
	if (!dnc_owns_relation(RelationGetRelid(table), mirror->owner) &&
		check_enable_rls(RelationGetRelid(table), mirror->owner, true) == RLS_ENABLED)
		refuse_loss(mirror, psprintf("Row-level security of table \"%s\" hides rows from the list's owner.", name),
					"Make the list's owner the owner of the table, too.");
}

/*
 * See to it that the merge which begins loses nothing.  The locks stay until the transaction
 * ends, so that nobody adds a trigger, a rule, a foreign key or an inheriting table meanwhile: the
 * last takes no stronger lock than this one.
 */
void
dnc_columns_require_lossless(const DncMirror *mirror)
{
	const Oid	tables[] = {mirror->staging, mirror->table};

	for (size_t i = 0; i < lengthof(tables); i++)
	{
		Relation	table = table_open(tables[i], ShareUpdateExclusiveLock);

		require_lossless(mirror, table);
		table_close(table, NoLock);
	}
}

/*
 * Raise 55000 if a table of a mirror lacks a column of its list, or has another type for it; or
 * if entries could be lost.
 */
void
dnc_columns_require(const DncMirror *mirror)
{
	Relation	staging = table_open(mirror->staging, AccessShareLock);
	Relation	table = table_open(mirror->table, AccessShareLock);

	dnc_columns_require_staging(mirror, staging);
	for (int i = 0; i < list_length(mirror->attributes); i++)
	{
		if (!has_column(RelationGetDescr(table), column_at(mirror, i)))
			refuse(mirror, psprintf("The mirror has no column \"%s\" as the foreign table has it.",
									NameStr(column_at(mirror, i)->attname)));
	}
	require_lossless(mirror, table);
	require_lossless(mirror, staging);
	table_close(table, AccessShareLock);
	table_close(staging, AccessShareLock);
}

/* The column of a mirror that a column of its list is read from: its name, quoted; NULL: there is none. */
static const char *
column_for(Form_pg_attribute of_list, DncColumn column, TupleDesc mirror)
{
	FormData_pg_attribute wanted = *of_list;

	if (of_list->attisdropped || column == DNC_COL_SEARCH)
		return "NULL";
	if (column == DNC_COL_MATCH_KEY)
		namestrcpy(&wanted.attname, dnc_column_name(column));
	return has_column(mirror, &wanted) ? quote_identifier(pstrdup(NameStr(wanted.attname))) : NULL;
}

/*
 * What to select from a mirror to get rows of its list: a, b, NULL.  The column search has no
 * value.  NULL: the mirror lacks a column.
 */
const char *
dnc_columns_for_list(Relation list, TupleDesc mirror)
{
	TupleDesc	desc = RelationGetDescr(list);
	const DncColumnMap *map = dnc_column_map(RelationGetRelid(list), RelationGetRelationName(list), desc);
	StringInfoData columns;

	initStringInfo(&columns);
	for (int i = 0; i < desc->natts; i++)
	{
		const char *column = column_for(TupleDescAttr(desc, i), map->columns[i], mirror);

		if (column == NULL)
			return NULL;
		appendStringInfo(&columns, "%s%s", i > 0 ? ", " : "", column);
	}
	return columns.data;
}
