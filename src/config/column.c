/*-------------------------------------------------------------------------
 *
 * column.c
 *		The columns that a foreign table may have, and the column of each attribute.
 *
 * A table may have any of them, in any order.  The name of an attribute says which
 * column it is, or OPTIONS (column_name '...') does.  This file only knows names; the
 * provider knows where the values come from.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "config/column.h"

static const char *const column_names[DNC_NCOLUMNS] = {
	[DNC_COL_ID] = "id",
	[DNC_COL_IDENTIFIER] = "identifier",
	[DNC_COL_IDENTIFIER_TYPE] = "identifier_type",
	[DNC_COL_LABEL] = "label",
	[DNC_COL_REASON] = "reason",
	[DNC_COL_IS_MANUALLY_ADDED] = "is_manually_added",
	[DNC_COL_WORKSPACE_ID] = "workspace_id",
	[DNC_COL_ORG_ID] = "org_id",
	[DNC_COL_BATCH_ID] = "batch_id",
	[DNC_COL_REQUEST_UUID] = "request_uuid",
	[DNC_COL_CALL_RECORDING] = "call_recording",
	[DNC_COL_TRANSCRIPTION] = "transcription",
	[DNC_COL_UNSUBSCRIBED_AT] = "unsubscribed_at",
	[DNC_COL_CREATED_AT] = "created_at",
	[DNC_COL_UPDATED_AT] = "updated_at",
	[DNC_COL_ATTRS] = "attrs",
	[DNC_COL_SOURCE] = "source",
	[DNC_COL_SEARCH] = "search",
	[DNC_COL_MATCH_KEY] = "match_key",
};

/* The name of a column, as users write it. */
const char *
dnc_column_name(DncColumn column)
{
	return column_names[column];
}

/* The column with that name; DNC_COL_NONE: there is none. */
DncColumn
dnc_column_find(const char *name)
{
	for (int i = 0; i < DNC_NCOLUMNS; i++)
	{
		if (strcmp(column_names[i], name) == 0)
			return (DncColumn) i;
	}
	return DNC_COL_NONE;
}

/*
 * Refuse an unknown column name.  relname is NULL if the table is not known yet, in the option
 * validator.
 */
void
dnc_column_unknown(const char *name, const char *relname)
{
	StringInfoData known;

	initStringInfo(&known);
	for (int i = 0; i < DNC_NCOLUMNS; i++)
		appendStringInfo(&known, "%s%s", i > 0 ? ", " : "", column_names[i]);

	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
			 relname
			 ? errmsg("column \"%s\" of foreign table \"%s\" is not a column of a Do-Not-Contact list",
					  name, relname)
			 : errmsg("\"%s\" is not a column of a Do-Not-Contact list", name),
			 errdetail("The columns are: %s.", known.data),
			 errhint("Rename the column, or name the one that it stands for with OPTIONS (column_name '...').")));
}

/*
 * The column of one attribute: the option column_name says which, or else the name.  A virtual
 * generated column is computed by PostgreSQL when somebody reads it, so it has no column here.
 * We refuse such a column with a name of ours, because it would hide the list's value.
 */
static DncColumn
attribute_column(Oid relid, const char *relname, Form_pg_attribute att)
{
	const char *name = NameStr(att->attname);
	ListCell   *lc;
	DncColumn	column;

	foreach(lc, GetForeignColumnOptions(relid, att->attnum))
	{
		DefElem    *def = lfirst_node(DefElem, lc);

		if (strcmp(def->defname, "column_name") == 0)
			name = defGetString(def);
	}
	column = dnc_column_find(name);
	if (dnc_is_virtual(att) && column != DNC_COL_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
				 errmsg("column \"%s\" of foreign table \"%s\" cannot be a virtual generated column",
						NameStr(att->attname), relname),
				 errdetail("It stands for \"%s\" of the list, which would neither be read nor sent.", name),
				 errhint("Give the generated column a name of its own, or make it STORED: then it is sent by INSERT, and read from the list.")));
	if (column == DNC_COL_NONE && !dnc_is_virtual(att))
		dnc_column_unknown(name, relname);
	return column;
}

/*
 * The column of each attribute of a foreign table, palloc'd.  Raises HV007 for an attribute
 * that should have a column of ours and has none.
 */
DncColumnMap *
dnc_column_map(Oid relid, const char *relname, TupleDesc desc)
{
	DncColumnMap *map = palloc(offsetof(DncColumnMap, columns) + desc->natts * sizeof(DncColumn));

	map->natts = desc->natts;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		map->columns[i] = att->attisdropped ? DNC_COL_NONE : attribute_column(relid, relname, att);
	}
	return map;
}

/*
 * Does a column of this type hold any text unchanged?  That is text, varchar without a length
 * limit, or a domain over these; or an enum, whose labels are the vendor's words.
 */
bool
dnc_column_keeps_text(Oid type, int32 typmod)
{
	type = getBaseTypeAndTypmod(type, &typmod);
	return ((type == TEXTOID || type == VARCHAROID) && typmod < 0) || type_is_enum(type);
}

/* The first attribute for a column; 0: the table has none. */
AttrNumber
dnc_column_attnum(const DncColumnMap *map, DncColumn column)
{
	for (int i = 0; i < map->natts; i++)
	{
		if (map->columns[i] == column)
			return i + 1;
	}
	return InvalidAttrNumber;
}
