/*-------------------------------------------------------------------------
 *
 * create.c
 *		Makes and drops mirrors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "mirror/create.h"
#include "mirror/mirror.h"
#include "mirror/statements.h"

/* ----- create ----- */

/*
 * Raise 42P07: a relation has the name that one of a mirror's objects needs.  DROP ... CASCADE of a
 * list leaves the tables of its mirror, so we say whether it is one of these.
 */
static void
refuse_taken(Oid source, Oid taken)
{
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	Oid			left_by = InvalidOid;

	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(taken));
	dnc_queue_open(&query, "SELECT l.source::oid FROM %1$s.dnc_fdw_mirror_lists l WHERE $1 IN (l.mirror, l.staging, l.known)",
				   &arguments, true);
	if (query.count > 0)
		left_by = DatumGetObjectId(dnc_queue_datum(&query, 0, 1));
	dnc_queue_close(&query);
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_TABLE),
			 errmsg("relation \"%s\" already exists", get_rel_name(taken)),
			 errdetail("The mirror of foreign table \"%s\" needs that name.", get_rel_name(source)),
			 OidIsValid(left_by) && get_rel_name(left_by) == NULL
			 ? errhint("SELECT dnc_fdw_mirror_drop(%u) drops it: it is left from the mirror of a list that was dropped.", left_by)
			 : errhint("Rename that relation, or the foreign table.")));
}

/*
 * The name of an object of a mirror, quoted, with the list's schema: the list's name and an
 * ending.  Raises 42622 if the name is too long, 42P07 if a relation has it.
 */
static char *
name_with(Oid source, const char *ending)
{
	Oid			namespace = get_rel_namespace(source);
	Oid			taken;
	char	   *name = psprintf("%s_%s", get_rel_name(source), ending);

	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("the name of foreign table \"%s\" is too long for a mirror", get_rel_name(source)),
				 errdetail("\"%s\" would have more than %d bytes.", name, NAMEDATALEN - 1)));
	taken = get_relname_relid(name, namespace);
	if (OidIsValid(taken))
		refuse_taken(source, taken);
	return quote_qualified_identifier(get_namespace_name(namespace), name);
}

/* A collation's name, quoted.  It needs the schema, since our search_path has only pg_catalog. */
static char *
collation_name(Oid collation)
{
	HeapTuple	tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	Form_pg_collation form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for collation %u", collation);
	form = (Form_pg_collation) GETSTRUCT(tuple);
	name = quote_qualified_identifier(get_namespace_name(form->collnamespace), NameStr(form->collname));
	ReleaseSysCache(tuple);
	return name;
}

/* The definitions of the mirrored columns, with a comma behind each, as in CREATE TABLE. */
static char *
definitions(const DncMirror *mirror)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, mirror->attributes)
	{
		Form_pg_attribute att = TupleDescAttr(mirror->desc, lfirst_int(cell) - 1);
		char	   *collation = OidIsValid(att->attcollation) && att->attcollation != get_typcollation(att->atttypid)
			? collation_name(att->attcollation) : NULL;

		appendStringInfo(&text, "%s %s%s%s, ", quote_identifier(NameStr(att->attname)),
						 format_type_extended(att->atttypid, att->atttypmod,
											  FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY),
						 collation ? " COLLATE " : "", collation ? collation : "");
	}
	return text.data;
}

/*
 * The mirrored columns for our own addition a, with a comma behind each.  Columns that an
 * addition does not set are NULL.
 */
static char *
columns_of_addition(const DncMirror *mirror)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, mirror->attributes)
	{
		AttrNumber	attnum = (AttrNumber) lfirst_int(cell);
		Form_pg_attribute att = TupleDescAttr(mirror->desc, attnum - 1);
		const char *value = "NULL";

		switch (mirror->map->columns[attnum - 1])
		{
			case DNC_COL_IDENTIFIER:
				value = "a.identifier";
				break;
			case DNC_COL_IDENTIFIER_TYPE:
				value = "a.identifier_type";
				break;
			case DNC_COL_LABEL:
				value = "a.label";
				break;
			case DNC_COL_REASON:
				value = "a.reason";
				break;
			default:
				break;
		}
		appendStringInfo(&text, "%s::%s, ", value,
						 format_type_extended(att->atttypid, att->atttypmod,
											  FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
	}
	return text.data;
}

#define GUARD "(SELECT {extension}.dnc_fdw_mirror_guard({source}::regclass))"

/*
 * The statement that creates the view.  The view shows the mirror's entries that none of our own
 * removals hides, and our own additions that the mirror does not show.  Each GUARD is a subquery
 * without references to m or a, so PostgreSQL runs it at most once a statement.
 */
static char *
view_sql(const DncMirror *mirror)
{
	return psprintf("CREATE VIEW {known} AS SELECT {m.all}, m.match_key, m.first_seen, "
					"coalesce(m.last_seen, " GUARD ") AS last_seen, m.missed "
					"FROM {mirror} m WHERE " GUARD " IS NOT NULL AND m.gone_at IS NULL AND NOT " DNC_MIRROR_IS_HIDDEN " "
					"UNION ALL SELECT %sa.match_key, NULL, NULL, 0 FROM " DNC_MIRROR_ADDED " a WHERE "
					GUARD " IS NOT NULL AND NOT " DNC_MIRROR_IS_SHOWN, columns_of_addition(mirror));
}

/* Make the tables and the view, as their owner. */
static void
make_objects(const DncMirror *mirror)
{
	char	   *columns = definitions(mirror);

	dnc_mirror_run(mirror, psprintf("CREATE TABLE {mirror} (%smatch_key text NOT NULL, first_seen timestamptz NOT NULL, "
									"last_seen timestamptz, missed integer NOT NULL, gone_at timestamptz, "
									"seen_at timestamptz, identity text NOT NULL, PRIMARY KEY (identity, first_seen))", columns), NULL);
	dnc_mirror_run(mirror, "CREATE INDEX ON {mirror} (match_key)", NULL);
	dnc_mirror_run(mirror, psprintf("CREATE TABLE {staging} (%smatch_key text NOT NULL, identity text NOT NULL, "
									"read_at timestamptz NOT NULL, turn integer NOT NULL)", columns), NULL);
	/* Without a replica identity, a publication of all tables would make our DELETE fail. */
	dnc_mirror_run(mirror, "ALTER TABLE {staging} REPLICA IDENTITY FULL", NULL);
	dnc_mirror_run(mirror, view_sql(mirror), NULL);
	dnc_mirror_run(mirror, psprintf("COMMENT ON TABLE {mirror} IS %s",
									quote_literal_cstr(psprintf("entries of %s, present and past: dnc_fdw_mirror_refresh() keeps it",
																mirror->source_name))), NULL);
	dnc_mirror_run(mirror, "COMMENT ON TABLE {staging} IS 'what the pass that runs has read'", NULL);
	dnc_mirror_run(mirror, psprintf("COMMENT ON VIEW {known} IS %s",
									quote_literal_cstr(psprintf("who is on the list %s, by its mirror and our own writes",
																mirror->source_name))), NULL);
}

/* The OID of a relation that was just made, by its quoted name. */
static Datum
relation_of(const char *name)
{
	List	   *names = textToQualifiedNameList(cstring_to_text(name));

	return ObjectIdGetDatum(RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, false));
}

/* Raise 22023 for terms that make no sense. */
static void
check_terms(const DncMirrorTerms *terms)
{
	Interval	none = {0};

	if (!DatumGetBool(DirectFunctionCall2(interval_gt, IntervalPGetDatum(terms->max_age), IntervalPGetDatum(&none))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_age must be greater than zero")));
	if (terms->gone_after < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("gone_after must not be negative"),
				 errhint("0 keeps all entries for ever.")));
	if (!(terms->max_loss >= 0 && terms->max_loss <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_loss must be between 0 and 1"),
				 errhint("0.1 stands for 10 percent of the entries.")));
}

/* Raise 42710 if the list already has a mirror. */
static void
refuse_second(const DncMirror *mirror)
{
	DncQueueArguments arguments = {0};
	DncQueueQuery query;

	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(mirror->source));
	dnc_queue_open(&query, "SELECT FROM %1$s.dnc_fdw_mirror_lists l WHERE l.source = $1", &arguments, false);
	if (query.count > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("foreign table \"%s\" already has a mirror", get_rel_name(mirror->source)),
				 errhint("For another one, SELECT dnc_fdw_mirror_drop(%s) first. Its history goes with it.",
						 quote_literal_cstr(mirror->source_name))));
	dnc_queue_close(&query);
}

/*
 * Create an empty mirror of a list.  The caller needs the rights of the list's owner, and the
 * tables and the view will belong to that owner.  Raises 42501, 42P01, 42809, 0A000, 22023,
 * 28000 if the caller has no token, 42710, 42622, and 42P07 if a relation has one of the names.
 */
void
dnc_mirror_create(Oid source, const DncMirrorTerms *terms)
{
	DncMirror  *mirror;
	DncQueueArguments arguments = {0};

	dnc_mirror_require_owner(source);
	check_terms(terms);
	mirror = dnc_mirror_describe(source);
	refuse_second(mirror);
	mirror->mirror_name = name_with(source, "mirror");
	mirror->staging_name = name_with(source, "staging");
	mirror->known_name = name_with(source, "known");
	make_objects(mirror);
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(source));
	dnc_queue_argument(&arguments, OIDOID, relation_of(mirror->mirror_name));
	dnc_queue_argument(&arguments, OIDOID, relation_of(mirror->staging_name));
	dnc_queue_argument(&arguments, OIDOID, relation_of(mirror->known_name));
	dnc_queue_argument(&arguments, NAMEOID, CStringGetDatum(mirror->options->server_name));
	dnc_queue_text_argument(&arguments, mirror->account);
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(mirror->owner));
	dnc_queue_argument(&arguments, INTERVALOID, IntervalPGetDatum(terms->max_age));
	dnc_queue_argument(&arguments, INT4OID, Int32GetDatum(terms->gone_after));
	dnc_queue_argument(&arguments, FLOAT8OID, Float8GetDatum(terms->max_loss));
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(GetUserId()));
	dnc_queue_run("INSERT INTO %1$s.dnc_fdw_mirror_lists (source, mirror, staging, known, server, account, owner, "
				  "max_age, gone_after, max_loss, read_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
				  &arguments);
}

/* ----- alter ----- */

/*
 * Change the terms of a mirror; NULL leaves a term as it is.  A refresh under way keeps the
 * gone_after and max_loss that it began with.  The caller needs the rights of the list's owner.
 * Raises 42501, 42P01, 42809, 42704, 22023.
 */
void
dnc_mirror_alter(Oid source, const Interval *max_age, const int32 *gone_after, const float8 *max_loss)
{
	DncMirrorTerms terms;
	DncQueueArguments arguments = {0};
	DncQueueQuery query;

	dnc_mirror_require_owner(source);
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(source));
	dnc_queue_open(&query, "SELECT l.max_age, l.gone_after, l.max_loss FROM %1$s.dnc_fdw_mirror_lists l "
				   "WHERE l.source = $1 FOR UPDATE", &arguments, false);
	if (query.count == 0)
		dnc_mirror_refuse_unmirrored(source, false);
	terms.max_age = max_age ? (Interval *) max_age : DatumGetIntervalP(dnc_queue_datum(&query, 0, 1));
	terms.gone_after = gone_after ? *gone_after : DatumGetInt32(dnc_queue_datum(&query, 0, 2));
	terms.max_loss = max_loss ? *max_loss : DatumGetFloat8(dnc_queue_datum(&query, 0, 3));
	check_terms(&terms);
	dnc_queue_argument(&arguments, INTERVALOID, IntervalPGetDatum(terms.max_age));
	dnc_queue_argument(&arguments, INT4OID, Int32GetDatum(terms.gone_after));
	dnc_queue_argument(&arguments, FLOAT8OID, Float8GetDatum(terms.max_loss));
	dnc_queue_run("UPDATE %1$s.dnc_fdw_mirror_lists SET max_age = $2, gone_after = $3, max_loss = $4 WHERE source = $1",
				  &arguments);
	dnc_queue_close(&query);
}

/* ----- drop ----- */

/* Drop one of a mirror's objects, if it is still there. */
static void
drop_object(Oid relid, const char *kind)
{
	char	   *name = get_rel_name(relid);
	char	   *sql;

	if (name == NULL)
		return;
	sql = psprintf("DROP %s %s", kind, quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name));
	if (SPI_execute(sql, false, 0) < 0)
		elog(ERROR, "could not drop \"%s\"", name);
}

/*
 * Drop the mirror of a list, with its history and schedule; the certificates of its passes stay.
 * We drop as the caller, who must own the tables and the view.  The list itself may have been
 * dropped before.  Raises 42501, 42809, and 42704 if there is no mirror.
 *
 * A refresh locks the staging table, then the mirror, then the list's row.  We lock them in the
 * same order, so that a refresh and a drop cannot deadlock.
 */
void
dnc_mirror_drop(Oid source)
{
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	Oid			relations[3];

	if (get_rel_name(source))
		dnc_mirror_require_owner(source);
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(source));
	dnc_queue_open(&query, "SELECT l.known::oid, l.mirror::oid, l.staging::oid FROM %1$s.dnc_fdw_mirror_lists l "
				   "WHERE l.source = $1", &arguments, false);
	if (query.count == 0)
		dnc_mirror_refuse_unmirrored(source, true);
	for (int i = 0; i < 3; i++)
		relations[i] = DatumGetObjectId(dnc_queue_datum(&query, 0, i + 1));
	dnc_queue_close(&query);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	drop_object(relations[0], "VIEW");
	drop_object(relations[2], "TABLE");
	drop_object(relations[1], "TABLE");
	SPI_finish();
	dnc_queue_run("DELETE FROM %1$s.dnc_fdw_mirror_lists WHERE source = $1", &arguments);
	dnc_queue_run("DELETE FROM %1$s.dnc_fdw_mirror_schedules WHERE source = $1", &arguments);
	dnc_queue_run("UPDATE %1$s.dnc_fdw_pass_log SET state = 'dropped', ended_at = clock_timestamp(), fingerprint = NULL, "
				  "cursor = NULL, ids = NULL WHERE source = $1 AND state = 'running'", &arguments);
}
