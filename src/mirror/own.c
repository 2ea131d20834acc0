/*-------------------------------------------------------------------------
 *
 * own.c
 *		Our own writes, which the view adds to a mirror; and the guard of the view.
 *
 * The view of a mirror calls these functions.  A function in a view runs as the role that reads
 * the view, but no role may read the queue.  So we read the queue as its owner, and check that
 * the caller may read the view.  If not, we raise an error: without the queue's rows, people
 * who have opted out would seem to be free.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "config/wrapper.h"
#include "match/key.h"
#include "match/server_text.h"
#include "match/version.h"
#include "mirror/mirror.h"
#include "mirror/own.h"
#include "queue/statements.h"
#include "queue/table.h"

/*
 * Was removal w sent to the list that the mirror was read from?  An account may have tokens for
 * several lists (transactions.md), and a user mapping or a server may be changed.  A removal from
 * another list must hide nobody here, so we compare hashes of the address and token used.
 */
#define IS_OF_TOKEN "w.sent_with = l.read_with"

/*
 * Do the times of removal w make sense?  If a clock was set back, they may be in the future, or
 * not in order.  Then we cannot tell which reads the removal came after, so it hides nobody.
 */
#define IS_PAST "w.requested_at <= w.done_at AND w.done_at <= clock_timestamp()"

/*
 * Select the removals that the vendor has confirmed, and that the mirror may not know of.  We go
 * by the time when the request was begun.  If we read an entry before then, the removal took this
 * entry.  If we read an entry while the request ran, the person may have come back since.
 */
#define REMOVED \
	"SELECT w.match_key, w.identifier, w.identifier_type, w.entry_id, w.requested_at, w.done_at, " \
	"coalesce(l.merged_at, '-infinity') " \
	"FROM %1$s.dnc_fdw_mirror_lists l JOIN %1$s.dnc_fdw_queue_finished w ON w.account = l.account " \
	"WHERE l.source = $1 AND w.action = 'delete' AND w.state = 'done' " \
	"AND w.done_at >= l.needs_since AND " IS_OF_TOKEN " AND " IS_PAST

/*
 * Is row w of list l?  The account tells.  But since the row was stored, the server may have been
 * renamed, or may have got another account.  So we also compare the servers of the tables.
 */
#define IS_OF_LIST \
	"(w.account = l.account OR EXISTS (SELECT FROM pg_foreign_table x JOIN pg_foreign_table y " \
	"USING (ftserver) WHERE x.ftrelid = " DNC_QUEUE_TABLE_OF("w") " AND y.ftrelid = l.source))"

/*
 * May row w, which waits, be one of list l?  If the row's table was dropped and no server has the
 * name of its server, we cannot tell.  Then the addition counts on each list of the provider.
 */
#define MAY_BE_OF_LIST \
	"(" IS_OF_LIST " OR (split_part(w.account, '/', 1) = split_part(l.account, '/', 1) AND " DNC_QUEUE_IS_STRAY("w") "))"

/*
 * Did removal w come after addition a, by their transactions?  Times alone are not enough, since a
 * clock may have been set back in between, or the clocks of two machines may differ.  A write that
 * was restored from a dump came before all additions of this installation.
 */
#define IS_LATER \
	"CASE WHEN w.instance = a.instance THEN w.xid >= a.xid OR pg_visible_in_snapshot(a.xid, w.snapshot) " \
	"ELSE a.instance <> (SELECT i.instance FROM %1$s.dnc_fdw_instance i) END"

/*
 * Select the additions that wait, are being sent, are dead or held; and those that the vendor has
 * confirmed, unless a removal that began later has taken them.  A removal that found no entry has
 * taken none, unless an earlier try of it may have.  We compare identifiers as the vendor does: $2
 * says that the vendor ignores case, $3 that it ignores a plus.
 */
#define ADDED \
	"SELECT a.match_key, a.identifier, a.identifier_type, a.label, a.reason, a.done_at FROM %1$s.dnc_fdw_mirror_lists l CROSS JOIN LATERAL (" \
	"SELECT w.instance, w.xid, w.account, w.match_key, w.identifier, w.identifier_type, w.label, w.reason, NULL::timestamptz AS done_at " \
	"FROM %1$s.dnc_fdw_queue_waiting w WHERE " MAY_BE_OF_LIST " AND w.action = 'add' UNION ALL " \
	"SELECT w.instance, w.xid, w.account, w.match_key, w.identifier, w.identifier_type, w.label, w.reason, w.done_at " \
	"FROM %1$s.dnc_fdw_queue_finished w WHERE " IS_OF_LIST " AND w.action = 'add' AND w.state = 'done' " \
	"AND w.done_at >= l.needs_since) a CROSS JOIN LATERAL (" \
	"SELECT max(w.requested_at) AS removed_at FROM %1$s.dnc_fdw_queue_finished w WHERE w.match_key = a.match_key " \
	"AND w.account = a.account AND w.action = 'delete' AND w.state = 'done' AND (w.message IS NULL OR w.unclear) AND " \
	IS_OF_TOKEN " AND " IS_PAST " AND " IS_LATER " AND " \
	"(w.identifier = a.identifier OR ($2 AND lower(w.identifier COLLATE \"C\") = lower(a.identifier COLLATE \"C\")) OR " \
	"($3 AND ltrim(w.identifier, '+') = ltrim(a.identifier, '+'))) AND " \
	"(w.identifier_type IS NULL OR a.identifier_type IS NULL OR w.identifier_type = a.identifier_type)) r " \
	"WHERE l.source = $1 AND (a.done_at IS NULL OR r.removed_at IS NULL OR r.removed_at <= a.done_at)"

/* The OID of the view of a list's mirror.  Raises 42704 or 42809 if there is no mirror. */
static Oid
view_of(Oid source)
{
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	Oid			view;

	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(source));
	dnc_queue_open(&query, "SELECT l.known::oid FROM %1$s.dnc_fdw_mirror_lists l WHERE l.source = $1",
				   &arguments, true);
	view = query.count > 0 ? DatumGetObjectId(dnc_queue_datum(&query, 0, 1)) : InvalidOid;
	dnc_queue_close(&query);
	if (!OidIsValid(view))
		dnc_mirror_refuse_unmirrored(source, false);
	return view;
}

/*
 * The name of the view of a list's mirror, quoted, with its schema; palloc'd.  Raises 42704 if the
 * list has no mirror or the view was dropped, and 42809 if source is no list.
 */
char *
dnc_own_view_name(Oid source)
{
	Oid			view = view_of(source);
	char	   *name = get_rel_name(view);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the view of the mirror was dropped"),
				 errhint("SELECT dnc_fdw_mirror_drop(%s), and create the mirror again.",
						 quote_literal_cstr(dnc_mirror_name_of(source)))));
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(view)), name);
}

/* Raise 42501 unless the caller may read the mirror's view. */
static void
require_reader(Oid view)
{
	char	   *name = get_rel_name(view);

	if (name && pg_class_aclcheck(view, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for view %s", name),
				 errdetail("The queue's opt-outs are shown to those only who may read this view."),
				 errhint("GRANT SELECT ON %s to the role, even if it reads a view of yours that stands on this one.",
						 quote_qualified_identifier(get_namespace_name(get_rel_namespace(view)), name))));
}

/*
 * The key of an addition, made anew, as a text in the database's encoding.  The rules or
 * default_country may have changed while the write waited in the queue.  The query's columns 2 and
 * 3 are the identifier and its type.
 */
static Datum
key_of_now(const DncOptions *options, const DncQueueQuery *query, uint64 row)
{
	const DncField *field = dnc_provider_field(options->provider, DNC_COL_IDENTIFIER_TYPE);
	const char *type = dnc_queue_utf8(query, row, 3, CurrentMemoryContext);
	bool		whole;

	if (type == NULL && field)
		type = field->constant;
	return CStringGetTextDatum(dnc_match_to_server(dnc_match_entry_key(dnc_queue_utf8(query, row, 2, CurrentMemoryContext), type,
																		options->default_country,
																		options->provider->ignores_plus),
												   &whole));
}

/*
 * Run a query on the queue, and return its rows as the rows of a set-returning function.  If
 * options is not NULL, we make the keys in the first column anew, from the identifiers and types
 * in the next two columns.  Raises 42501 unless the caller may read the mirror's view.
 */
static void
give_rows(FunctionCallInfo fcinfo, Oid source, const char *sql, const DncQueueArguments *arguments,
		  const DncOptions *options)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	DncQueueQuery query;
	Datum	   *values;
	bool	   *nulls;

	InitMaterializedSRF(fcinfo, 0);
	require_reader(view_of(source));
	values = palloc(sizeof(Datum) * result->setDesc->natts);
	nulls = palloc(sizeof(bool) * result->setDesc->natts);
	dnc_queue_open(&query, sql, arguments, true);
	for (uint64 i = 0; i < query.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		heap_deform_tuple(query.rows->vals[i], query.rows->tupdesc, values, nulls);
		if (options && !nulls[1])
			values[0] = key_of_now(options, &query, i);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	dnc_queue_close(&query);
}

/*
 * Return the rows of dnc_fdw_mirror_removed(): our own removals that may hide entries.  Raises
 * 42501 unless the caller may read the mirror's view, and 42704 or 42809 if there is no mirror.
 */
void
dnc_own_removed(FunctionCallInfo fcinfo, Oid source)
{
	DncQueueArguments arguments = {0};

	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(source));
	give_rows(fcinfo, source, REMOVED, &arguments, NULL);
}

/*
 * Return the rows of dnc_fdw_mirror_added(): our own additions that the mirror may lack.  Raises
 * the errors of dnc_own_removed().
 */
void
dnc_own_added(FunctionCallInfo fcinfo, Oid source)
{
	DncQueueArguments arguments = {0};
	const DncOptions *options = dnc_wrapper_has_table(source)
		? dnc_options_load(GetForeignServerIdByRelId(source), source) : NULL;

	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(source));
	dnc_queue_argument(&arguments, BOOLOID, BoolGetDatum(options && options->provider->folds_case));
	dnc_queue_argument(&arguments, BOOLOID, BoolGetDatum(options && options->provider->ignores_plus));
	give_rows(fcinfo, source, ADDED, &arguments, options);
}

/*
 * Ignore for good all removals that seem to be in the future.  A clock was set back: once that
 * time comes, such a removal would hide entries that were read after it.  A pass calls this before
 * it stores entries.  The time is an argument, since clock_timestamp() in the condition would keep
 * PostgreSQL from using the index on done_at.
 */
void
dnc_own_disbelieve_future(void)
{
	static DncQueuePlan plan;
	DncQueueArguments arguments = {0};

	dnc_queue_argument(&arguments, TIMESTAMPTZOID, TimestampTzGetDatum(GetCurrentTimestamp()));
	dnc_queue_run_again(&plan, "UPDATE %1$s.dnc_fdw_queue_finished w SET requested_at = NULL "
						"WHERE w.done_at > $1 AND w.action = 'delete' AND w.requested_at IS NOT NULL", &arguments);
}

/* ----- the guard ----- */

/* A standby's clock may be this far behind.  If a clock is further behind, it was set back. */
#define LATE_CLOCK "interval '1 minute'"

/* The reason why a mirror must not be read. */
typedef struct Refusal
{
	const char *message;		/* goes on after "the mirror of ..."; NULL: it may be read */
	const char *detail;
	const char *hint;			/* NULL: a complete pass mends it */
} Refusal;

/* Raise 55000 with the reason why the mirror must not be read. */
static void
refuse(Oid source, const Refusal *refusal)
{
	char	   *name = get_rel_name(source);

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the mirror of \"%s\" %s", name ? name : "a list that was dropped", refusal->message),
			 errdetail_internal("%s", refusal->detail),
			 refusal->hint ? errhint("%s", refusal->hint)
			 : name ? errhint("CALL dnc_fdw_mirror_refresh(%s); dnc_fdw_mirrors shows what has kept it from being refreshed.",
							quote_literal_cstr(dnc_mirror_name_of(source)))
			 : errhint("SELECT dnc_fdw_mirror_drop(%u) drops what is left of it.", source)));
}

/*
 * Has the account or default_country changed since the last complete pass?  Another country gives
 * other keys.  A list that was dropped cannot have changed.
 */
static Refusal
changes_of(Oid source, const char *country, const char *account)
{
	const DncOptions *options;
	const char *now;

	if (!dnc_wrapper_has_table(source))
		return (Refusal) {0};
	options = dnc_options_load(GetForeignServerIdByRelId(source), source);
	now = options->default_country;
	if (now && country ? strcmp(now, country) != 0 : now != country)
		return (Refusal) {.message = "has keys of another country", .detail = "default_country has changed since the last complete pass."};
	if (strcmp(dnc_queue_account(options), account) != 0)
		return (Refusal) {.message = "is of another account", .detail = "The account of the server has changed since the last complete pass."};
	return (Refusal) {0};
}

/* Does row-level security hide rows of a mirror's table from its view? */
static bool
has_policies(Relation table, Oid known)
{
	Relation	view = try_relation_open(known, AccessShareLock);
	Oid			reader = table->rd_rel->relowner;

	if (view)
	{
		reader = RelationHasSecurityInvoker(view) ? GetUserId() : view->rd_rel->relowner;
		relation_close(view, NoLock);
	}
	return check_enable_rls(RelationGetRelid(table), reader, true) == RLS_ENABLED;
}

/* Does a mirror's table have no entry that is still listed? */
static bool
is_empty(Relation table)
{
	DncMirror	mirror = {.owner = table->rd_rel->relowner,.mirror_name = dnc_mirror_name_of(RelationGetRelid(table))};
	DncQueueQuery query;
	bool		empty;

	dnc_mirror_become_owner(&mirror, &query);
	if (SPI_execute(dnc_mirror_sql(&mirror, "SELECT FROM {mirror} m WHERE m.gone_at IS NULL"), true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the mirror");
	empty = SPI_processed == 0;
	dnc_queue_close(&query);
	return empty;
}

/*
 * Check that the view can show the entries that the last pass has left.  Somebody may have dropped
 * the view, emptied the table, restored it without its rows, or enabled row-level security.
 */
static Refusal
damage_of(Oid source, Oid relid, Oid known, bool has_entries)
{
	Relation	table;
	Refusal		refusal = {0};

	if (get_rel_name(known) == NULL)
		return (Refusal) {.message = "has no view any more", .detail = "Its view was dropped.",
		.hint = get_rel_name(source) == NULL ? NULL
			: psprintf("SELECT dnc_fdw_mirror_drop(%s), and create the mirror again.",
					   quote_literal_cstr(dnc_mirror_name_of(source)))};
	table = try_table_open(relid, AccessShareLock);
	if (table == NULL)
		return refusal;
	if (has_policies(table, known))
		refusal = (Refusal) {.message = "has policies", .detail = "Row-level security of its table hides entries from its view.",
		.hint = "Disable row-level security of the mirror's table, or reset security_invoker of its view."};
	else if (has_entries && is_empty(table))
		refusal = (Refusal) {.message = "has lost its entries", .detail = "Its table is empty, and the last complete pass has seen entries."};
	table_close(table, NoLock);
	return refusal;
}

/*
 * Find out whether the mirror of a list may be read.  If there was a complete pass, *as_of becomes
 * the time when the last one began.  The result's texts live in the current context.
 */
static Refusal
find_refusal(Oid source, TimestampTz *as_of)
{
	MemoryContext context = CurrentMemoryContext;
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	Refusal		refusal;
	Oid			table = InvalidOid;
	Oid			known = InvalidOid;
	bool		has_entries = false;

	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(source));
	dnc_queue_text_argument(&arguments, dnc_match_key_version());
	dnc_queue_open(&query,
				   "SELECT l.complete_as_of, clock_timestamp() - l.complete_as_of <= l.max_age, l.key_version = $2, "
				   "format('Its last complete pass began at %%s, and max_age is %%s.', l.complete_as_of, l.max_age), "
				   "l.default_country, l.account, l.mirror::oid, l.known::oid, coalesce(l.entries > 0, false), "
				   "l.complete_as_of > clock_timestamp() + " LATE_CLOCK ", "
				   "format('Its last complete pass began at %%s, and it is %%s now.', l.complete_as_of, clock_timestamp()) "
				   "FROM %1$s.dnc_fdw_mirror_lists l WHERE l.source = $1 AND l.complete_as_of IS NOT NULL",
				   &arguments, true);
	if (query.count == 0)
		refusal = (Refusal) {.message = "is not filled yet", .detail = "No pass over the list is complete."};
	else
	{
		*as_of = DatumGetTimestampTz(dnc_queue_datum(&query, 0, 1));
		if (!DatumGetBool(dnc_queue_datum(&query, 0, 2)))
			refusal = (Refusal) {.message = "is too old", .detail = MemoryContextStrdup(context, dnc_queue_value(&query, 0, 4))};
		else if (!DatumGetBool(dnc_queue_datum(&query, 0, 3)))
			refusal = (Refusal) {.message = "has keys of another version",
			.detail = "The rules or libraries that keys are made by have changed since the last complete pass."};
		else if (DatumGetBool(dnc_queue_datum(&query, 0, 10)))
			refusal = (Refusal) {.message = "is of the future", .detail = MemoryContextStrdup(context, dnc_queue_value(&query, 0, 11))};
		else
			refusal = changes_of(source, dnc_queue_value(&query, 0, 5), dnc_queue_value(&query, 0, 6));
		table = DatumGetObjectId(dnc_queue_datum(&query, 0, 7));
		known = DatumGetObjectId(dnc_queue_datum(&query, 0, 8));
		has_entries = DatumGetBool(dnc_queue_datum(&query, 0, 9));
	}
	dnc_queue_close(&query);
	/* We are the caller again: row-level security depends on the role. */
	return refusal.message ? refusal : damage_of(source, table, known, has_entries);
}

/*
 * Return when the last complete pass of a mirror began.  Raises 55000 if there was none, if it
 * began longer than max_age ago or in the future, if keys or account have changed since, if the
 * view was dropped, if the table has lost its entries, or if row-level security hides them.  Raises
 * 42704 or 42809 if there is no mirror.
 */
TimestampTz
dnc_own_guard(Oid source)
{
	TimestampTz as_of = 0;
	Refusal		refusal = find_refusal(source, &as_of);

	if (refusal.message && as_of == 0)
		(void) view_of(source);
	if (refusal.message)
		refuse(source, &refusal);
	return as_of;
}

/* Would dnc_own_guard() raise an error?  True also if there is no mirror. */
bool
dnc_own_is_refused(Oid source)
{
	TimestampTz as_of;

	return find_refusal(source, &as_of).message != NULL;
}
