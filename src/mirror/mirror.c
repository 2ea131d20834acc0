/*-------------------------------------------------------------------------
 *
 * mirror.c
 *		One mirror: its list, its tables, and queries on these.
 *
 * The mirror, its staging table and its view are ordinary objects of the list's owner.  Queries
 * on them run as this owner.  Their search_path has no schema of a user, so that they call only
 * PostgreSQL's own functions and operators.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "config/credential.h"
#include "config/wrapper.h"
#include "mirror/mirror.h"

/* ----- the list ----- */

/* A relation's name with its schema, quoted, palloc'd.  If the relation was dropped: its OID. */
char *
dnc_mirror_name_of(Oid relid)
{
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		return psprintf("%u", relid);
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name);
}

/*
 * The quoted name of the column that holds the identifier, or its type.  Raises 0A000 unless the
 * table has that column, with type text.
 */
static const char *
text_column(const DncMirror *mirror, DncColumn column)
{
	AttrNumber	attnum = dnc_column_attnum(mirror->map, column);
	Form_pg_attribute att = attnum > 0 ? TupleDescAttr(mirror->desc, attnum - 1) : NULL;

	if (att == NULL || !dnc_column_keeps_text(att->atttypid, att->atttypmod))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot mirror foreign table \"%s\"", get_rel_name(mirror->source)),
				 errdetail("It has no column \"%s\" of type text.", dnc_column_name(column)),
				 errhint("Mirror a table that IMPORT FOREIGN SCHEMA has made.")));
	return quote_identifier(pstrdup(NameStr(att->attname)));
}

/* Does the mirror keep this column of the list?  We make the key anew, and search has no value. */
static bool
is_mirrored(DncColumn column)
{
	return column != DNC_COL_NONE && column != DNC_COL_SEARCH && column != DNC_COL_MATCH_KEY;
}

/* Fill in the owner and the columns of the list. */
static void
describe_columns(DncMirror *mirror)
{
	Relation	relation = table_open(mirror->source, AccessShareLock);
	StringInfoData names;

	mirror->owner = relation->rd_rel->relowner;
	mirror->desc = CreateTupleDescCopy(RelationGetDescr(relation));
	mirror->map = dnc_column_map(mirror->source, RelationGetRelationName(relation), mirror->desc);
	table_close(relation, AccessShareLock);
	initStringInfo(&names);
	for (int i = 0; i < mirror->desc->natts; i++)
	{
		if (!is_mirrored(mirror->map->columns[i]))
			continue;
		mirror->attributes = lappend_int(mirror->attributes, i + 1);
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
						 quote_identifier(NameStr(TupleDescAttr(mirror->desc, i)->attname)));
	}
	mirror->columns = names.data;
	mirror->identifier = text_column(mirror, DNC_COL_IDENTIFIER);
	mirror->type = text_column(mirror, DNC_COL_IDENTIFIER_TYPE);
}

/*
 * Describe a list for its mirror, palloc'd, without the members that dnc_mirror_load() sets.
 * Raises 0A000 if the list has no text columns for an identifier and its type, and 28000 if the
 * current user has no token for it.
 */
DncMirror *
dnc_mirror_describe(Oid source)
{
	DncMirror  *mirror = palloc0(sizeof(DncMirror));
	const DncOptions *options = dnc_options_load(GetForeignServerIdByRelId(source), source);

	mirror->source = source;
	mirror->source_name = dnc_mirror_name_of(source);
	mirror->options = dnc_options_overlapping(dnc_credential_options(options, GetUserId()), 0);
	mirror->account = dnc_queue_account(options);
	mirror->extension = quote_identifier(get_namespace_name(
															get_rel_namespace(dnc_queue_relation("dnc_fdw_mirror_lists"))));
	describe_columns(mirror);
	return mirror;
}

/*
 * The list whose mirror has this table or view.  InvalidOid: there is none, or we cannot look
 * without an active snapshot.
 */
static Oid
list_of(Oid relid)
{
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	Oid			source = InvalidOid;

	if (!ActiveSnapshotSet())
		return InvalidOid;
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(relid));
	dnc_queue_open(&query, "SELECT l.source::oid FROM %1$s.dnc_fdw_mirror_lists l "
				   "WHERE $1 IN (l.mirror, l.staging, l.known)", &arguments, true);
	if (query.count > 0)
		source = DatumGetObjectId(dnc_queue_datum(&query, 0, 1));
	dnc_queue_close(&query);
	return source;
}

/* Raise 42809 since the relation is no list.  The hint says which table to name instead. */
static void
refuse_other_relation(Oid relid)
{
	Oid			list = list_of(relid);
	const char *hint = "Name the foreign table of a list.";

	if (OidIsValid(list))
		hint = psprintf("It belongs to the mirror of a list: name that, %s.", dnc_mirror_name_of(list));
	else if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		hint = "Name one of its partitions. Each list has a mirror of its own.";
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" is not a foreign table of dnc_fdw", get_rel_name(relid)),
			 errhint("%s", hint)));
}

/*
 * Raise 42501 unless the current user has the rights of the list's owner.  Raise 42809 if the
 * relation is no list, and 42P01 if it does not exist.
 */
void
dnc_mirror_require_owner(Oid source)
{
	char	   *name = get_rel_name(source);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", source)));
	if (!dnc_wrapper_has_table(source))
		refuse_other_relation(source);
	if (!dnc_owns_relation(source, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FOREIGN_TABLE, name);
}

/* ----- the row of a mirror in dnc_fdw_mirror_lists ----- */

/* A text in the first row of a query's result, copied into a context; NULL: it is NULL. */
static const char *
text_of(const DncQueueQuery *query, int column, MemoryContext context)
{
	char	   *value = dnc_queue_value(query, 0, column);

	return value ? MemoryContextStrdup(context, value) : NULL;
}

/*
 * Raise 42704 since a list has no mirror; the list itself may have been dropped.  Raise 42809 if
 * the relation is no list.  to_drop: the caller wants to drop a mirror, so the hint does not offer
 * to create one.
 */
void
dnc_mirror_refuse_unmirrored(Oid source, bool to_drop)
{
	if (get_rel_name(source) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the list with OID %u has no mirror", source),
				 errhint("dnc_fdw_mirrors shows which lists have one.")));
	if (!dnc_wrapper_has_table(source))
		refuse_other_relation(source);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("foreign table \"%s\" has no mirror", get_rel_name(source)),
			 to_drop ? errhint("dnc_fdw_mirrors shows which lists have one.")
			 : errhint("SELECT dnc_fdw_mirror_create(%s);",
					   quote_literal_cstr(dnc_mirror_name_of(source)))));
}

/*
 * If the server has another account now, store that account, and forget all complete passes.  The
 * mirror has the entries of another list then, so the guard refuses it until a pass is complete.
 */
static void
change_account(const DncMirror *mirror)
{
	DncQueueArguments arguments = {0};

	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(mirror->source));
	dnc_queue_text_argument(&arguments, mirror->account);
	dnc_queue_run("UPDATE %1$s.dnc_fdw_mirror_lists SET account = $2, complete_as_of = NULL, added_as_of = NULL, "
				  "merged_at = NULL, newest = NULL "
				  "WHERE source = $1 AND account <> $2", &arguments);
}

/*
 * Return the mirror of a list, palloc'd.  If the server has another account now, we store that.
 * Raises 42704 if the list has no mirror, 55000 if a table or view of the mirror was dropped, and
 * the errors of dnc_mirror_describe().  Needs an active snapshot.
 */
DncMirror *
dnc_mirror_load(Oid source)
{
	MemoryContext context = CurrentMemoryContext;
	DncMirror  *mirror = dnc_mirror_describe(source);
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	Oid			relations[3];

	change_account(mirror);
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(source));
	dnc_queue_open(&query,
				   "SELECT l.mirror::oid, l.staging::oid, l.known::oid, l.gone_after, l.max_loss, l.key_version, "
				   "l.default_country, l.complete_as_of, l.merged_at, l.newest, l.newest_at, l.read_by::oid, l.read_with "
				   "FROM %1$s.dnc_fdw_mirror_lists l WHERE l.source = $1", &arguments, false);
	if (query.count == 0)
		dnc_mirror_refuse_unmirrored(source, false);
	for (int i = 0; i < 3; i++)
		relations[i] = DatumGetObjectId(dnc_queue_datum(&query, 0, i + 1));
	mirror->table = relations[0];
	mirror->staging = relations[1];
	mirror->gone_after = DatumGetInt32(dnc_queue_datum(&query, 0, 4));
	mirror->max_loss = DatumGetFloat8(dnc_queue_datum(&query, 0, 5));
	mirror->key_version = text_of(&query, 6, context);
	mirror->country = text_of(&query, 7, context);
	mirror->complete_as_of = dnc_queue_time(&query, 0, 8);
	mirror->merged_at = dnc_queue_time(&query, 0, 9);
	mirror->complete = mirror->merged_at != 0;
	mirror->newest = text_of(&query, 10, context);
	mirror->newest_at = dnc_queue_time(&query, 0, 11);
	mirror->read_by = DatumGetObjectId(dnc_queue_datum(&query, 0, 12));
	mirror->read_with = text_of(&query, 13, context);
	dnc_queue_close(&query);
	for (int i = 0; i < 3; i++)
	{
		if (get_rel_name(relations[i]) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the mirror of foreign table \"%s\" is broken", get_rel_name(source)),
					 errdetail("A table or view of it was dropped."),
					 errhint("SELECT dnc_fdw_mirror_drop(%s), and create the mirror again.",
							 quote_literal_cstr(mirror->source_name))));
	}
	mirror->mirror_name = dnc_mirror_name_of(relations[0]);
	mirror->staging_name = dnc_mirror_name_of(relations[1]);
	mirror->known_name = dnc_mirror_name_of(relations[2]);
	return mirror;
}

/* Store the role whose token reads the list from now on. */
void
dnc_mirror_set_reader(DncMirror *mirror, Oid role)
{
	DncQueueArguments arguments = {0};

	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(mirror->source));
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(role));
	dnc_queue_run("UPDATE %1$s.dnc_fdw_mirror_lists SET read_by = $2 WHERE source = $1", &arguments);
	mirror->read_by = role;
}

/* Store that the entries of the mirror were read with the current address and token. */
void
dnc_mirror_set_credential(const DncMirror *mirror)
{
	DncQueueArguments arguments = {0};

	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(mirror->source));
	dnc_queue_text_argument(&arguments, dnc_queue_credential(mirror->options));
	dnc_queue_run("UPDATE %1$s.dnc_fdw_mirror_lists SET read_with = $2 WHERE source = $1", &arguments);
}

/* ----- queries ----- */

/* The mirrored columns with a prefix, palloc'd: m.a, m.b, m.c. */
char *
dnc_mirror_prefixed(const DncMirror *mirror, const char *prefix)
{
	StringInfoData names;
	ListCell   *cell;

	initStringInfo(&names);
	foreach(cell, mirror->attributes)
	{
		Form_pg_attribute att = TupleDescAttr(mirror->desc, lfirst_int(cell) - 1);

		appendStringInfo(&names, "%s%s.%s", names.len > 0 ? ", " : "", prefix,
						 quote_identifier(NameStr(att->attname)));
	}
	return names.data;
}

/* The text that a name in braces stands for; NULL: we do not know the name. */
static const char *
meaning(const DncMirror *mirror, const char *name, size_t length)
{
	const struct
	{
		const char *name;
		const char *text;
	}			names[] = {
		{"mirror", mirror->mirror_name},
		{"staging", mirror->staging_name},
		{"known", mirror->known_name},
		{"extension", mirror->extension},
		{"columns", mirror->columns},
		{"identifier", mirror->identifier},
		{"type", mirror->type},
	};

	for (size_t i = 0; i < lengthof(names); i++)
	{
		if (strlen(names[i].name) == length && strncmp(names[i].name, name, length) == 0)
			return names[i].text;
	}
	if (length == 5 && strncmp(name, "m.all", 5) == 0)
		return dnc_mirror_prefixed(mirror, "m");
	if (length == 5 && strncmp(name, "s.all", 5) == 0)
		return dnc_mirror_prefixed(mirror, "s");
	if (length == 6 && strncmp(name, "source", 6) == 0)
		return quote_literal_cstr(mirror->source_name);
	return NULL;
}

/*
 * Make a statement from a template, palloc'd.  {mirror}, {staging} and {known} stand for the names
 * of relations, {extension} for the extension's schema, {identifier} and {type} for the names of
 * columns.  {columns} stands for all mirrored columns, {m.all} and {s.all} for the same columns of
 * m and s.  {source} stands for the list's name as a literal.
 */
char *
dnc_mirror_sql(const DncMirror *mirror, const char *template)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (const char *c = template; *c; c++)
	{
		const char *end = *c == '{' ? strchr(c, '}') : NULL;
		const char *text = end ? meaning(mirror, c + 1, end - c - 1) : NULL;

		if (text == NULL)
			appendStringInfoChar(&sql, *c);
		else
		{
			appendStringInfoString(&sql, text);
			c = end;
		}
	}
	return sql.data;
}

/*
 * Become the mirror's owner, with a search_path that has no schema of a user, and connect to SPI.
 * This lasts until dnc_queue_close().
 */
void
dnc_mirror_become_owner(const DncMirror *mirror, DncQueueQuery *query)
{
	GetUserIdAndSecContext(&query->user, &query->security);
	SetUserIdAndSecContext(mirror->owner, query->security | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION | SECURITY_NOFORCE_RLS);
	query->settings = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

/*
 * Run the query of a template as the mirror's owner.  arguments may be NULL.  The result lives
 * until dnc_queue_close(), which has to follow unless an error ends the transaction.
 */
void
dnc_mirror_open(DncQueueQuery *query, const DncMirror *mirror, const char *template,
				const DncQueueArguments *arguments)
{
	DncQueueArguments none = {0};
	int			result;

	if (arguments == NULL)
		arguments = &none;
	dnc_mirror_become_owner(mirror, query);
	result = SPI_execute_with_args(dnc_mirror_sql(mirror, template), arguments->count,
								   (Oid *) arguments->types, (Datum *) arguments->values,
								   arguments->nulls, false, 0);
	if (result < 0)
		elog(ERROR, "a query of the mirror failed: %s", SPI_result_code_string(result));
	query->rows = SPI_tuptable;
	query->count = SPI_processed;
}

/* Run the query of a template for its effect.  Returns how many rows it has changed. */
uint64
dnc_mirror_run(const DncMirror *mirror, const char *template, const DncQueueArguments *arguments)
{
	DncQueueQuery query;

	dnc_mirror_open(&query, mirror, template, arguments);
	dnc_queue_close(&query);
	return query.count;
}

/* Run the query of a template that returns a bigint, and return this number. */
int64
dnc_mirror_count(const DncMirror *mirror, const char *template,
				 const DncQueueArguments *arguments)
{
	DncQueueQuery query;
	int64		count;

	dnc_mirror_open(&query, mirror, template, arguments);
	count = DatumGetInt64(dnc_queue_datum(&query, 0, 1));
	dnc_queue_close(&query);
	return count;
}
