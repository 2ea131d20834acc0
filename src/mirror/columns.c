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
#include "utils/builtins.h"
#include "utils/lsyscache.h"

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

/* Raise 55000 if a table of a mirror lacks a column of its list, or has another type for it. */
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
