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

#include "foreign/fdwapi.h"
#include "utils/builtins.h"

#include "config/option.h"
#include "sql/import.h"

#define REMOTE_SCHEMA "dnc"
#define REMOTE_TABLE "communication_opt_outs"

/* The type that a column gets; NULL: it is not imported. */
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

/* CREATE FOREIGN TABLE with the columns that the provider has; palloc'd. */
static char *
create_table_command(const DncOptions *options)
{
	const char *separator = "\n";
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE FOREIGN TABLE %s (", quote_identifier(REMOTE_TABLE));
	for (int column = 0; column < DNC_NCOLUMNS; column++)
	{
		const DncField *field = dnc_provider_field(options->provider, (DncColumn) column);

		if (field == NULL)
			continue;
		appendStringInfo(&sql, "%s\t%s %s", separator,
						 quote_identifier(dnc_column_name((DncColumn) column)), import_type(field));
		separator = ",\n";
	}
	appendStringInfo(&sql, "\n) SERVER %s", quote_identifier(options->server_name));
	return sql.data;
}

/* Is the table among those that LIMIT TO and EXCEPT leave? */
static bool
is_wanted(ImportForeignSchemaStmt *statement)
{
	bool		listed = false;
	ListCell   *lc;

	foreach(lc, statement->table_list)
		listed = listed || strcmp(lfirst_node(RangeVar, lc)->relname, REMOTE_TABLE) == 0;
	switch (statement->list_type)
	{
		case FDW_IMPORT_SCHEMA_LIMIT_TO:
			return listed;
		case FDW_IMPORT_SCHEMA_EXCEPT:
			return !listed;
		case FDW_IMPORT_SCHEMA_ALL:
			break;
	}
	return true;
}

/* The commands that make a server's tables; sends nothing. */
List *
dnc_import_schema(ImportForeignSchemaStmt *statement, Oid serverid)
{
	const DncOptions *options = dnc_options_load(serverid, InvalidOid);

	if (strcmp(statement->remote_schema, REMOTE_SCHEMA) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				 errmsg("schema \"%s\" is not present on server \"%s\"",
						statement->remote_schema, options->server_name),
				 errhint("IMPORT FOREIGN SCHEMA %s FROM SERVER %s INTO ...;", REMOTE_SCHEMA,
						 quote_identifier(options->server_name))));
	if (statement->options != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("invalid option \"%s\"", linitial_node(DefElem, statement->options)->defname),
				 errhint("IMPORT FOREIGN SCHEMA takes no options here.")));
	return is_wanted(statement) ? list_make1(create_table_command(options)) : NIL;
}
