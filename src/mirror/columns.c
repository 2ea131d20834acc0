/*-------------------------------------------------------------------------
 *
 * columns.c
 *		Are a mirror's tables as they were made?
 *
 * The tables and the list belong to the user, who may change them.  But then a pass must not go
 * on, or it would silently lose entries.
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

/* Does a table's column have the name and type of a column of the list? */
static bool
is_same(Form_pg_attribute of_list, Form_pg_attribute of_table)
{
	return !of_table->attisdropped && of_list->atttypid == of_table->atttypid &&
		of_list->atttypmod == of_table->atttypmod &&
		strcmp(NameStr(of_list->attname), NameStr(of_table->attname)) == 0;
}

/* Does a table have a column with the name and type of this column of the list? */
static bool
has_column(TupleDesc desc, Form_pg_attribute of_list)
{
	bool		found = false;

	for (int i = 0; i < desc->natts && !found; i++)
		found = is_same(of_list, TupleDescAttr(desc, i));
	return found;
}

/* Raise 55000: the tables do not fit the list any more. */
static void
refuse(const DncMirror *mirror, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the mirror of \"%s\" does not fit its list", get_rel_name(mirror->source)),
			 errdetail_internal("%s", detail),
			 errhint("Change it back; or drop the mirror, after you have copied its history if you need it, and create it again.")));
}

/* The list's column for the mirrored column at this place, from 0. */
static Form_pg_attribute
column_at(const DncMirror *mirror, int place)
{
	return TupleDescAttr(mirror->desc, list_nth_int(mirror->attributes, place) - 1);
}

/*
 * Raise 55000 if the staging table is not as dnc_fdw_mirror_create() made it.  We insert below
 * the executor, so an index on the table would lack our rows.
 */
void
dnc_columns_require_staging(const DncMirror *mirror, Relation staging)
{
	TupleDesc	desc = RelationGetDescr(staging);
	int			listed = list_length(mirror->attributes);
	bool		same = desc->natts == listed + DNC_STAGE_COLUMNS;

	if (staging->rd_rel->relkind != RELKIND_RELATION ||
		staging->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT || RelationGetIndexList(staging) != NIL)
		refuse(mirror, "The staging table is no plain, logged table without indexes any more.");
	for (int i = 0; same && i < listed; i++)
		same = is_same(column_at(mirror, i), TupleDescAttr(desc, i));
	if (!same)
		refuse(mirror, "The columns of the foreign table, or of the staging table, have changed since the mirror was created.");
}

/* ----- objects that could keep entries out ----- */

/* Raise 55000: an object of the owner's could keep entries out of the mirror. */
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
 * Refuse triggers BEFORE ... FOR EACH ROW, which can drop or change a row.  AFTER triggers and
 * statement triggers cannot.  Only a disabled trigger is harmless: session_replication_role may
 * turn the others on again.
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

/* Refuse rules, which can replace our statement with another. */
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
 * Raise 55000 if an object of the owner's could keep entries out of a table, or take them away.
 * We allow CHECK constraints, unique indexes and narrower types: PostgreSQL raises an error if
 * an entry violates them, and then the merge changes nothing.
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
 * Raise 55000 if the merge that begins could lose entries.  We hold the locks until the
 * transaction ends, so nobody can add a trigger, a rule, a foreign key or an inheriting table
 * meanwhile, nor delete entries that the merge takes for present.  Reading goes on.
 */
void
dnc_columns_require_lossless(const DncMirror *mirror)
{
	const Oid	tables[] = {mirror->staging, mirror->table};

	for (size_t i = 0; i < lengthof(tables); i++)
	{
		Relation	table = table_open(tables[i], ShareRowExclusiveLock);

		require_lossless(mirror, table);
		table_close(table, NoLock);
	}
}

/*
 * Raise 55000 if a table of a mirror lacks a column of its list, or has another type for it.
 * Raise 55000 also if a merge could lose entries.
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

/*
 * The expression that selects a column of the list from its mirror: a quoted name, or "NULL" for
 * a column without a value.  NULL: the mirror lacks the column.
 */
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
 * The select list that turns rows of a mirror into rows of its list, palloc'd: a, b, NULL.  The
 * column search and dropped columns are NULL.  Returns NULL if the mirror lacks a column.
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
