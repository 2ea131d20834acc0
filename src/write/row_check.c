/*-------------------------------------------------------------------------
 *
 * row_check.c
 *		A table's rows as the values to send for an entry, checked.
 *
 * We refuse a row in its statement, before it waits, where we can know that it is wrong: it gives
 * a value that the API refuses, or would ignore, or that only the remote can give.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "nodes/primnodes.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "match/text.h"
#include "write/row_check.h"

struct DncRowCheck
{
	Relation	relation;
	const DncOptions *options;
	DncAction	action;
	const DncWriteCall *write;
	DncColumnMap *map;
	FmgrInfo   *output;			/* by attribute of the list: its type's output function */
	bool	   *is_refused;		/* by attribute: no member of the call takes its value */
	AttrNumber	members[DNC_MAX_MEMBERS];	/* by member of the call; 0: not in the table */
	bool		trimmed;		/* we have trimmed an identifier, and have said so */
};

/* May an INSERT give a value of this column back? */
static bool
can_be_returned(const DncProvider *provider, DncColumn column)
{
	const DncField *field = dnc_provider_field(provider, column);

	if (column == DNC_COL_ATTRS || column == DNC_COL_MATCH_KEY)
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
 * Refuse an INSERT ... RETURNING of columns that only the remote knows (0A000).  returning is the
 * list of this table.  We leave alone columns of other tables, and those of the old row, which
 * are NULL for an INSERT.  Gives back the attribute that shows the server's name; 0: none does.
 */
AttrNumber
dnc_row_check_returning(DncRowCheck *row, List *returning)
{
	AttrNumber	source = 0;
	ListCell   *lc;

	foreach(lc, pull_var_clause((Node *) returning, PVC_INCLUDE_PLACEHOLDERS))
	{
		Var		   *var = lfirst_node(Var, lc);

		if (IS_SPECIAL_VARNO(var->varno) || dnc_is_of_old_row(var))
			continue;
		for (int i = 0; i < row->map->natts; i++)
		{
			DncColumn	column = row->map->columns[i];

			if (column == DNC_COL_NONE || (var->varattno != 0 && var->varattno != i + 1))
				continue;
			if (!can_be_returned(row->options->provider, column))
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("INSERT cannot return column \"%s\" of foreign table \"%s\"",
								NameStr(TupleDescAttr(RelationGetDescr(row->relation), i)->attname),
								RelationGetRelationName(row->relation)),
						 column == DNC_COL_MATCH_KEY
						 ? errdetail("A key is made of an entry that is read.")
						 : errdetail("Only server \"%s\" knows its value, once the entry has been sent.",
									 row->options->server_name),
						 errhint("RETURNING gives back what was sent. Query the table after COMMIT.")));
			if (column == DNC_COL_SOURCE)
				source = i + 1;
		}
	}
	return source;
}

/*
 * Refuse to add entries through a key column that may change the written text (HV005).  A phone
 * number loses its "+" in a bigint, and would protect nobody.
 */
static void
check_key_types(const DncRowCheck *row)
{
	for (int i = 0; row->write->members[i].name; i++)
	{
		DncColumn	column = row->write->members[i].column;
		Form_pg_attribute att;

		if (row->members[i] == 0 ||
			(column != DNC_COL_IDENTIFIER && column != DNC_COL_IDENTIFIER_TYPE))
			continue;
		att = TupleDescAttr(RelationGetDescr(row->relation), row->members[i] - 1);
		if (dnc_column_keeps_text(att->atttypid, att->atttypmod))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
				 errmsg("cannot add entries through column \"%s\" of foreign table \"%s\"",
						NameStr(att->attname), RelationGetRelationName(row->relation)),
				 errdetail("A value of type %s may not be what was written: \"+\", zeros or blanks get lost.",
						   format_type_with_typemod(att->atttypid, att->atttypmod)),
				 errhint("ALTER FOREIGN TABLE ... ALTER COLUMN %s TYPE text;",
						 quote_identifier(NameStr(att->attname)))));
	}
}

/*
 * Set up the checking of a table's rows for an action; palloc'd in the current context, which
 * *options and *relation must outlive.  Raises HV005 where entries would be added through a key
 * column that does not keep texts.
 */
DncRowCheck *
dnc_row_check_make(Relation relation, const DncOptions *options, DncAction action)
{
	DncRowCheck *row = palloc0(sizeof(DncRowCheck));
	TupleDesc	desc = RelationGetDescr(relation);

	row->relation = relation;
	row->options = options;
	row->action = action;
	row->write = action == DNC_ACTION_ADD ? &options->provider->add : &options->provider->remove;
	row->map = dnc_column_map(RelationGetRelid(relation), RelationGetRelationName(relation), desc);
	row->output = palloc0(sizeof(FmgrInfo) * Max(desc->natts, 1));
	row->is_refused = palloc0(sizeof(bool) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Oid			output;
		bool		varlena;

		if (row->map->columns[i] == DNC_COL_NONE)
			continue;
		getTypeOutputInfo(TupleDescAttr(desc, i)->atttypid, &output, &varlena);
		fmgr_info(output, &row->output[i]);
		row->is_refused[i] = true;
	}
	for (int i = 0; row->write->members[i].name; i++)
	{
		row->members[i] = dnc_column_attnum(row->map, row->write->members[i].column);
		if (row->members[i])
			row->is_refused[row->members[i] - 1] = false;
	}
	if (action == DNC_ACTION_ADD)
		check_key_types(row);
	return row;
}

/* The name of a table's attribute, for messages. */
static const char *
attribute_name(DncRowCheck *row, AttrNumber attnum)
{
	return NameStr(TupleDescAttr(RelationGetDescr(row->relation), attnum - 1)->attname);
}

/*
 * Refuse (22023) the value, not NULL, of an attribute that no member of the call takes, unless
 * all entries have this value.
 */
static void
check_attribute(DncRowCheck *row, AttrNumber attnum, const char *value)
{
	DncColumn	column = row->map->columns[attnum - 1];
	const DncField *field = dnc_provider_field(row->options->provider, column);
	const char *constant = column == DNC_COL_SOURCE ? row->options->server_name
		: field ? field->constant : NULL;

	if (constant && strcmp(constant, value) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("column \"%s\" of foreign table \"%s\" cannot be given",
					attribute_name(row, attnum), RelationGetRelationName(row->relation)),
			 constant ? errdetail("With server \"%s\" it is always \"%s\".",
								  row->options->server_name, constant)
			 : column == DNC_COL_MATCH_KEY
			 ? errdetail("It is made of the identifier and its type.")
			 : field || column == DNC_COL_ATTRS
			 ? errdetail("Server \"%s\" sets it by itself.", row->options->server_name)
			 : errdetail("Server \"%s\" has no such field: the value would be lost.",
						 row->options->server_name),
			 constant ? errhint("Leave the column out, or give it that value. A bound of a partition must name that value, too.")
			 : errhint("Leave the column out.")));
}

/* Refuse a member that is missing (23502), or whose value the API does not take (22023). */
static void
check_member(DncRowCheck *row, int index, const char *value)
{
	const DncMember *member = &row->write->members[index];
	const DncProvider *provider = row->options->provider;

	if (value == NULL && member->required)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("null value in column \"%s\" of foreign table \"%s\"",
						dnc_column_name(member->column),
						RelationGetRelationName(row->relation)),
				 errdetail("Server \"%s\" cannot add or remove an entry without it.",
						   row->options->server_name),
				 row->members[index] == 0
				 ? errhint("ALTER FOREIGN TABLE ... ADD COLUMN %s text;",
						   dnc_column_name(member->column))
				 : errhint("Give the column a value.")));
	if (value && member->required && *value == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("empty value in column \"%s\" of foreign table \"%s\"",
						dnc_column_name(member->column),
						RelationGetRelationName(row->relation)),
				 errdetail("Server \"%s\" cannot add or remove an entry without it.",
						   row->options->server_name),
				 errhint("Give the column a value, or leave the row out.")));
	/* A removal is not checked for its type, since the entry is on the list. */
	if (value && row->action == DNC_ACTION_ADD && member->column == DNC_COL_IDENTIFIER_TYPE &&
		!dnc_provider_has_type(provider, value))
	{
		StringInfoData known;

		initStringInfo(&known);
		for (const char *const *type = provider->identifier_types; *type; type++)
			appendStringInfo(&known, "%s%s", known.len > 0 ? ", " : "", *type);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("server \"%s\" does not know the identifier type \"%s\"",
						row->options->server_name, value),
				 errdetail("Its types are: %s.", known.data),
				 errhint("Map the type to one of these, or leave the row out.")));
	}
}

/*
 * Take the values of the call's members from a row, into members[DNC_MAX_MEMBERS]; palloc'd, NULL
 * where there is none.
 */
void
dnc_row_check_values(DncRowCheck *row, TupleTableSlot *slot, const char **members)
{
	memset(members, 0, sizeof(char *) * DNC_MAX_MEMBERS);
	for (int i = 0; row->write->members[i].name; i++)
	{
		AttrNumber	attnum = row->members[i];

		if (attnum != 0 && !slot->tts_isnull[attnum - 1])
			members[i] = OutputFunctionCall(&row->output[attnum - 1],
											slot->tts_values[attnum - 1]);
	}
}

/*
 * A text, in the database's encoding, without blanks and invisible characters at its ends.  Gives
 * back the text itself if it has none there, else a palloc'd copy.  Raises 22021 where it is not
 * text.
 */
static const char *
trim(const char *text)
{
	const char *utf8 = pg_server_to_any(text, strlen(text), PG_UTF8);
	const char *trimmed = dnc_text_trim(utf8);

	return strcmp(trimmed, utf8) == 0 ? text
		: pg_any_to_server(trimmed, strlen(trimmed), PG_UTF8);
}

/*
 * Take blanks and invisible characters off the ends of the identifier in members[].  The first
 * such row raises a NOTICE: a vendor lists "bob@example.com " with its blank, and no email is
 * ever compared with that text.  If the identifier has changed, gives it back in *identifier, and
 * its attribute; else 0.
 */
AttrNumber
dnc_row_check_trim(DncRowCheck *row, const char **members, const char **identifier)
{
	for (int i = 0; row->write->members[i].name; i++)
	{
		const char *trimmed;

		if (row->write->members[i].column != DNC_COL_IDENTIFIER || members[i] == NULL)
			continue;
		trimmed = trim(members[i]);
		if (trimmed == members[i])
			return 0;
		members[i] = *identifier = trimmed;
		if (!row->trimmed && *trimmed != '\0')
			ereport(NOTICE,
					(errmsg("blanks or invisible characters around an identifier are taken off"),
					 errdetail("Foreign table \"%s\"; later rows of the statement are not announced.",
							   RelationGetRelationName(row->relation))));
		row->trimmed = row->trimmed || *trimmed != '\0';
		return row->members[i];
	}
	return 0;
}

/* Refuse a row with values that cannot be sent (22023).  Its slot has all attributes. */
void
dnc_row_check_attributes(DncRowCheck *row, TupleTableSlot *slot)
{
	for (int i = 0; i < row->map->natts; i++)
	{
		if (row->is_refused[i] && !slot->tts_isnull[i])
			check_attribute(row, i + 1, OutputFunctionCall(&row->output[i], slot->tts_values[i]));
	}
}

/* Refuse values that the call does not take, or that no request can carry (23502, 22023). */
void
dnc_row_check_members(DncRowCheck *row, const char *const *members)
{
	DncProblem	problem;

	for (int i = 0; row->write->members[i].name; i++)
		check_member(row, i, members[i]);
	if (!dnc_request_can_write(row->options, row->write, members, &problem))
		dnc_remote_error_raise(&problem);
}
