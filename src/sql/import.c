/*-------------------------------------------------------------------------
 *
 * import.c
 *		IMPORT FOREIGN SCHEMA: the tables that a server's provider has.
 *
 * Every provider has one schema, "dnc", with one table in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "foreign/fdwapi.h"
#include "utils/builtins.h"

#include "config/option.h"
#include "sql/import.h"

#define REMOTE_SCHEMA "dnc"
#define REMOTE_TABLE "communication_opt_outs"

/* The type for an imported column. */
static const char *
import_type(const DncField *field)
{
	if (field->import_type)
		return field->import_type;
	switch (field->column)
	{
		case DNC_COL_IS_MANUALLY_ADDED:
			return "boolean";
		case DNC_COL_UNSUBSCRIBED_AT:
		case DNC_COL_CREATED_AT:
		case DNC_COL_UPDATED_AT:
			return "timestamp with time zone";
		default:
			return "text";
	}
}

/* CREATE FOREIGN TABLE with the provider's columns, and the key; palloc'd. */
static char *
create_table_command(const DncOptions *options, const char *table)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE FOREIGN TABLE %s (", quote_identifier(table));
	for (int column = 0; column < DNC_NCOLUMNS; column++)
	{
		const DncField *field = dnc_provider_field(options->provider, (DncColumn) column);

		if (field == NULL)
			continue;
		appendStringInfo(&sql, "\n\t%s %s,",
						 quote_identifier(dnc_column_name((DncColumn) column)), import_type(field));
	}
	appendStringInfo(&sql, "\n\t%s text\n) SERVER %s",
					 quote_identifier(dnc_column_name(DNC_COL_MATCH_KEY)),
					 quote_identifier(options->server_name));
	return sql.data;
}

/*
 * The name for the table: from the option table_name, or the remote's.  Raises HV00D for another
 * option, HV024 for an impossible name.
 */
static const char *
table_name(const ImportForeignSchemaStmt *statement)
{
	const char *name = REMOTE_TABLE;
	ListCell   *lc;

	foreach(lc, statement->options)
	{
		DefElem    *given = lfirst_node(DefElem, lc);

		if (strcmp(given->defname, "table_name") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("invalid option \"%s\"", given->defname),
					 errhint("IMPORT FOREIGN SCHEMA takes the option table_name here.")));
		name = defGetString(given);
		if (*name == '\0' || strlen(name) >= NAMEDATALEN)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
					 errmsg("invalid value for option \"%s\": \"%s\"", given->defname, name),
					 errdetail("It takes the name of a table, of 1 to %d bytes.", NAMEDATALEN - 1)));
	}
	return name;
}

/* Is a name among those of LIMIT TO or EXCEPT? */
static bool
is_named(const ImportForeignSchemaStmt *statement, const char *name)
{
	ListCell   *lc;

	foreach(lc, statement->table_list)
	{
		if (strcmp(lfirst_node(RangeVar, lc)->relname, name) == 0)
			return true;
	}
	return false;
}

/*
 * Do LIMIT TO and EXCEPT leave the table?  PostgreSQL compares their names with the name that we
 * give to the table.  LIMIT TO with only the remote's name would import nothing and say nothing,
 * so we refuse it (HV00R).
 */
static bool
is_wanted(const ImportForeignSchemaStmt *statement, const char *table)
{
	switch (statement->list_type)
	{
		case FDW_IMPORT_SCHEMA_LIMIT_TO:
			if (is_named(statement, REMOTE_TABLE) && !is_named(statement, table))
				ereport(ERROR,
						(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
						 errmsg("LIMIT TO does not name table \"%s\"", table),
						 errdetail("With the option table_name, LIMIT TO and EXCEPT name the table as it will be called."),
						 errhint("Leave LIMIT TO out: there is one table.")));
			return is_named(statement, table);
		case FDW_IMPORT_SCHEMA_EXCEPT:
			return !is_named(statement, table) && !is_named(statement, REMOTE_TABLE);
		case FDW_IMPORT_SCHEMA_ALL:
			break;
	}
	return true;
}

/* The commands that make a server's tables; we send nothing. */
List *
dnc_import_schema(ImportForeignSchemaStmt *statement, Oid serverid)
{
	const DncOptions *options = dnc_options_load(serverid, InvalidOid);
	const char *table;

	if (strcmp(statement->remote_schema, REMOTE_SCHEMA) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				 errmsg("schema \"%s\" is not present on server \"%s\"",
						statement->remote_schema, options->server_name),
				 errhint("IMPORT FOREIGN SCHEMA %s FROM SERVER %s INTO ...;", REMOTE_SCHEMA,
						 quote_identifier(options->server_name))));
	table = table_name(statement);
	return is_wanted(statement, table) ? list_make1(create_table_command(options, table)) : NIL;
}
