/*-------------------------------------------------------------------------
 *
 * table.c
 *		The tables of the queue, and queries on them.
 *
 * Nobody has privileges on these tables, so we read and write them as their owner.  The
 * search_path has no schema of a user, so no code of a user runs with the owner's rights.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "match/text.h"
#include "queue/table.h"

/* We keep this many characters of a hash, enough to tell addresses and tokens apart. */
#define ADDRESS_LENGTH 16
#define CREDENTIAL_LENGTH 32

const DncQueueMember dnc_queue_members[] = {
	{DNC_COL_ID, DNC_QUEUE_ENTRY_ID},
	{DNC_COL_IDENTIFIER, DNC_QUEUE_IDENTIFIER},
	{DNC_COL_IDENTIFIER_TYPE, DNC_QUEUE_IDENTIFIER_TYPE},
	{DNC_COL_LABEL, DNC_QUEUE_LABEL},
	{DNC_COL_REASON, DNC_QUEUE_REASON},
	{DNC_COL_BATCH_ID, DNC_QUEUE_BATCH_ID},
	{DNC_COL_REQUEST_UUID, DNC_QUEUE_REQUEST_UUID},
};

/* The message for a write that is done: a constant; NULL: none.  unchanged: no entry changed. */
const char *
dnc_queue_done_message(bool adds, bool unchanged)
{
	if (!unchanged)
		return NULL;
	return adds ? "was on the list already" : "was not on the list any more";
}

/* The schema of the extension; InvalidOid: the extension is not in this database. */
static Oid
extension_schema(void)
{
	Relation	extensions = table_open(ExtensionRelationId, AccessShareLock);
	Oid			schema = InvalidOid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("dnc_fdw"));
	scan = systable_beginscan(extensions, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
	systable_endscan(scan);
	table_close(extensions, AccessShareLock);
	return schema;
}

/* The OID of a relation in the extension's schema; InvalidOid: there is none of this name. */
Oid
dnc_queue_relation(const char *name)
{
	Oid			schema = extension_schema();

	return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

/* Does a table have no blocks?  Then it has no rows, and we need not run a query on it. */
bool
dnc_queue_is_empty(Oid relid)
{
	Relation	table = table_open(relid, AccessShareLock);
	bool		empty = RelationGetNumberOfBlocks(table) == 0;

	table_close(table, AccessShareLock);
	return empty;
}

/* Do the SQL objects of the queue exist?  Before version 1.2 the extension has none. */
bool
dnc_queue_exists(void)
{
	return OidIsValid(dnc_queue_relation("dnc_fdw_queue_waiting"));
}

/* Raise 55000 if the SQL objects of the queue are missing. */
void
dnc_queue_require(void)
{
	if (!dnc_queue_exists())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the queue is not installed in this database"),
				 errdetail("The SQL objects of the extension are of a version before 1.2."),
				 errhint("ALTER EXTENSION dnc_fdw UPDATE;")));
}

/* ----- where rows come from ----- */

/* Read the instance of the extension from its view. */
static void
read_instance(pg_uuid_t *instance)
{
	DncQueueQuery query;

	dnc_queue_open(&query, "SELECT instance FROM %1$s.dnc_fdw_instance", NULL, true);
	if (query.count != 1)
		elog(ERROR, "dnc_fdw_instance must have one row");
	*instance = *DatumGetUUIDP(dnc_queue_datum(&query, 0, 1));
	dnc_queue_close(&query);
}

/* Fill in the members of an origin that tell the cluster: system and timeline. */
void
dnc_queue_cluster(DncQueueOrigin *origin)
{
	TimeLineID	timeline;

	origin->system = (int64) GetSystemIdentifier();
	if (RecoveryInProgress())
		(void) GetXLogReplayRecPtr(&timeline);
	else
		timeline = GetWALInsertionTimeLine();
	origin->timeline = (int32) timeline;
}

/*
 * Fill in the origin for rows that this database writes.  We remember the instance for as long as
 * its view has the same OID.  Needs an active snapshot.
 */
void
dnc_queue_origin(DncQueueOrigin *origin)
{
	static Oid	known_of = InvalidOid;
	static pg_uuid_t known;
	Oid			view = dnc_queue_relation("dnc_fdw_instance");

	if (!OidIsValid(view) || view != known_of)
	{
		read_instance(&known);
		known_of = view;
	}
	origin->instance = known;
	origin->database = MyDatabaseId;
	dnc_queue_cluster(origin);
}

/* The name of an account, for rows; palloc'd.  It includes the provider, which makes it unique. */
char *
dnc_queue_account(const DncOptions *options)
{
	return psprintf("%s/%s", options->provider->name, options->account);
}

/*
 * The place of an account's list, for rows; palloc'd.  This is a hash of the address and the
 * workspace, since the tables must not show these.
 */
char *
dnc_queue_address(const DncOptions *options)
{
	const char *workspace = options->workspace_id ? options->workspace_id : "";
	char	   *hash = dnc_text_hash(psprintf("%s %s", options->base_url, workspace));

	hash[ADDRESS_LENGTH] = '\0';
	return hash;
}

/*
 * The list that requests with these options reach, for finished rows and mirrors; palloc'd.  This
 * is a hash of the address, the workspace and the token.  NULL: there is no token.
 */
char *
dnc_queue_credential(const DncOptions *options)
{
	const char *workspace = options->workspace_id ? options->workspace_id : "";
	char	   *hash;

	if (options->token == NULL)
		return NULL;
	hash = dnc_text_hash(psprintf("%s %s %s", options->base_url, workspace, options->token));
	hash[CREDENTIAL_LENGTH] = '\0';
	return hash;
}

/* ----- queries ----- */

/* Append an argument to the arguments of a query. */
void
dnc_queue_argument(DncQueueArguments *arguments, Oid type, Datum value)
{
	int			index = arguments->count++;

	Assert(index < (int) lengthof(arguments->types));
	arguments->types[index] = type;
	arguments->values[index] = value;
	arguments->nulls[index] = ' ';
}

/* Append a text in the database's encoding; NULL is NULL. */
void
dnc_queue_text_argument(DncQueueArguments *arguments, const char *text)
{
	dnc_queue_argument(arguments, TEXTOID, text ? CStringGetTextDatum(text) : (Datum) 0);
	if (text == NULL)
		arguments->nulls[arguments->count - 1] = 'n';
}

/* Append a time; 0 is NULL. */
void
dnc_queue_time_argument(DncQueueArguments *arguments, TimestampTz time)
{
	dnc_queue_argument(arguments, TIMESTAMPTZOID, TimestampTzGetDatum(time));
	if (time == 0)
		arguments->nulls[arguments->count - 1] = 'n';
}

/* Begin the arguments of a query with this database's origin: $1 to $4. */
void
dnc_queue_origin_arguments(DncQueueArguments *arguments)
{
	DncQueueOrigin origin;
	pg_uuid_t  *instance = palloc(sizeof(pg_uuid_t));

	Assert(arguments->count == 0);
	dnc_queue_origin(&origin);
	*instance = origin.instance;
	dnc_queue_argument(arguments, UUIDOID, UUIDPGetDatum(instance));
	dnc_queue_argument(arguments, OIDOID, ObjectIdGetDatum(origin.database));
	dnc_queue_argument(arguments, INT8OID, Int64GetDatum(origin.system));
	dnc_queue_argument(arguments, INT4OID, Int32GetDatum(origin.timeline));
}

/* Begin the arguments of a query about a server: origin, OID of the server, provider and name. */
void
dnc_queue_server_arguments(Oid serverid, DncQueueArguments *arguments)
{
	const DncOptions *options = dnc_options_load(serverid, InvalidOid);

	dnc_queue_origin_arguments(arguments);
	dnc_queue_argument(arguments, OIDOID, ObjectIdGetDatum(serverid));
	dnc_queue_text_argument(arguments,
							psprintf("%s/%s", options->provider->name, options->server_name));
}

/* Begin the arguments of DNC_QUEUE_IS_OF_LIST. */
void
dnc_queue_list_arguments(const DncOptions *options, DncQueueArguments *arguments)
{
	dnc_queue_text_argument(arguments, dnc_queue_account(options));
	dnc_queue_argument(arguments, OIDOID, ObjectIdGetDatum(options->serverid));
	dnc_queue_text_argument(arguments,
							psprintf("%s/%s", options->provider->name, options->server_name));
}

/* The owner of a relation; InvalidOid: there is no such relation. */
Oid
dnc_queue_owner_of(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

/*
 * The settings for our queries.  They find nothing of a user's, and use the indexes.  The
 * statistics of a queue are always out of date, and a plan that fits a hundred rows takes for
 * ever with a million.
 */
static const struct
{
	const char *name;
	const char *value;
}			settings[] = {
	{"search_path", "pg_catalog, pg_temp"},
	{"enable_seqscan", "off"},
	{"enable_nestloop", "on"},
	{"enable_hashjoin", "off"},
	{"enable_mergejoin", "off"},
	{"jit", "off"},
};

/*
 * Run a statement.  Returns an SPI_OK_ code, or an SPI error code.  Statements that may write see
 * all rows that are committed by now, whatever the isolation level of the transaction.
 */
static int
execute(const char *sql, const DncQueueArguments *arguments, bool read_only)
{
	SPIPlanPtr	plan = SPI_prepare(sql, arguments->count, (Oid *) arguments->types);

	if (plan == NULL)
		return SPI_result;
	return SPI_execute_snapshot(plan, (Datum *) arguments->values, arguments->nulls,
								read_only ? GetActiveSnapshot() : GetLatestSnapshot(),
								InvalidSnapshot, read_only, false, 0);
}

/*
 * Become the owner of the queue's tables, with our settings, and connect to SPI.  This lasts until
 * dnc_queue_close().  Returns the statement's text, with the extension's schema in place of %1$s.
 */
static char *
enter(DncQueueQuery *query, const char *sql)
{
	Oid			table = dnc_queue_relation("dnc_fdw_queue_waiting");

	if (!OidIsValid(table))
		dnc_queue_require();
	GetUserIdAndSecContext(&query->user, &query->security);
	SetUserIdAndSecContext(dnc_queue_owner_of(table), query->security |
						   SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
	query->settings = NewGUCNestLevel();
	for (size_t i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i].name, settings[i].value, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	return psprintf(sql, quote_identifier(get_namespace_name(get_rel_namespace(table))));
}

/* Raise an error if SPI gave an error code. */
static void
require_success(int result)
{
	if (result < 0)
		elog(ERROR, "a query of the queue failed: %s", SPI_result_code_string(result));
}

/*
 * Run a query on the tables of the queue as their owner.  In the query, %1$s stands for their
 * schema.  arguments may be NULL.  A read-only query uses the active snapshot.  Other queries see
 * all rows that are committed by now.  The result lives until dnc_queue_close(), which has to
 * follow unless an error ends the transaction.  Raises 55000 if the tables are missing.
 */
void
dnc_queue_open(DncQueueQuery *query, const char *sql, const DncQueueArguments *arguments,
			   bool read_only)
{
	DncQueueArguments none = {0};
	char	   *text = enter(query, sql);

	require_success(execute(text, arguments ? arguments : &none, read_only));
	query->rows = SPI_tuptable;
	query->count = SPI_processed;
}

/* A value of a query's result as text, in the database's encoding, palloc'd; NULL: it is NULL. */
char *
dnc_queue_value(const DncQueueQuery *query, uint64 row, int column)
{
	return SPI_getvalue(query->rows->vals[row], query->rows->tupdesc, column);
}

/* A value of a query's result that is not NULL. */
Datum
dnc_queue_datum(const DncQueueQuery *query, uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(query->rows->vals[row], query->rows->tupdesc, column, &isnull);

	if (isnull)
		elog(ERROR, "a value of the queue is NULL");
	return value;
}

/* A time of a query's result; 0: it is NULL. */
TimestampTz
dnc_queue_time(const DncQueueQuery *query, uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(query->rows->vals[row], query->rows->tupdesc, column, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

/* A value of a query's result as text in UTF-8, in the memory of a context; NULL: it is NULL. */
char *
dnc_queue_utf8(const DncQueueQuery *query, uint64 row, int column, MemoryContext context)
{
	char	   *value = dnc_queue_value(query, row, column);

	return value ? MemoryContextStrdup(context, pg_server_to_any(value, strlen(value), PG_UTF8)) : NULL;
}

/* Free the result of a query, and restore the caller's user and settings. */
void
dnc_queue_close(DncQueueQuery *query)
{
	SPI_finish();
	AtEOXact_GUC(false, query->settings);
	SetUserIdAndSecContext(query->user, query->security);
}

/* Run a query for its effect.  Returns how many rows it has changed or returned. */
uint64
dnc_queue_run(const char *sql, const DncQueueArguments *arguments)
{
	DncQueueQuery query;

	dnc_queue_open(&query, sql, arguments, false);
	dnc_queue_close(&query);
	return query.count;
}

/* Plan a statement, and keep the plan, unless we already have it. */
static void
keep_plan(DncQueuePlan *kept, const char *text, const DncQueueArguments *arguments)
{
	SPIPlanPtr	plan;

	if (kept->plan && strcmp(kept->sql, text) == 0)
		return;
	if (kept->plan)
	{
		SPI_freeplan(kept->plan);
		kept->plan = NULL;
		pfree(kept->sql);
	}
	kept->sql = MemoryContextStrdup(TopMemoryContext, text);
	plan = SPI_prepare(text, arguments->count, (Oid *) arguments->types);
	if (plan == NULL)
		require_success(SPI_result);
	SPI_keepplan(plan);
	kept->plan = plan;
}

/*
 * Run a statement that runs often, and that we plan once in a session.  *kept is static, and each
 * call with the same *kept must have the same statement.
 */
void
dnc_queue_run_again(DncQueuePlan *kept, const char *sql, const DncQueueArguments *arguments)
{
	DncQueueQuery query;

	keep_plan(kept, enter(&query, sql), arguments);
	require_success(SPI_execute_snapshot(kept->plan, (Datum *) arguments->values, arguments->nulls,
										 GetLatestSnapshot(), InvalidSnapshot, false, false, 0));
	dnc_queue_close(&query);
}
