/*-------------------------------------------------------------------------
 *
 * monitoring.c
 *		The requests of this session and of all sessions of the cluster, and the work
 *		that runs now.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "request/counters.h"
#include "request/progress.h"
#include "request/totals.h"

#define STATS_COLUMNS (1 + DNC_NCOUNTS)
#define TOTALS_COLUMNS (3 + DNC_NCOUNTS)
#define PROGRESS_COLUMNS 11

PG_FUNCTION_INFO_V1(dnc_fdw_stats);
PG_FUNCTION_INFO_V1(dnc_fdw_stats_reset);
PG_FUNCTION_INFO_V1(dnc_fdw_totals);
PG_FUNCTION_INFO_V1(dnc_fdw_get_progress);

/* The counts as datums of their columns. */
static void
count_datums(const int64 *counts, Datum *values)
{
	for (int i = 0; i < DNC_NCOUNTS; i++)
		values[i] = i == DNC_COUNT_WAITED ? Float8GetDatum(counts[i] / 1000.0)
			: Int64GetDatum(counts[i]);
}

/* A name as a datum. */
static Datum
name_datum(const char *name)
{
	return DirectFunctionCall1(namein, CStringGetDatum(name));
}

/*
 * dnc_fdw_stats(): this session's requests and their results, a row a server.  Servers
 * that were dropped are left out.
 */
Datum
dnc_fdw_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, dnc_counters_servers())
	{
		const DncServerCounters *counters = lfirst(lc);
		ForeignServer *server = GetForeignServerExtended(counters->serverid, FSV_MISSING_OK);
		Datum		values[STATS_COLUMNS];
		bool		nulls[STATS_COLUMNS] = {0};

		if (server == NULL)
			continue;
		values[0] = name_datum(server->servername);
		count_datums(counters->counts, &values[1]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* dnc_fdw_stats_reset(): count from zero again. */
Datum
dnc_fdw_stats_reset(PG_FUNCTION_ARGS)
{
	dnc_counters_reset();
	PG_RETURN_VOID();
}

/* Raise the error that we have no shared memory to look at. */
_Noreturn static void
refuse_without_memory(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the cluster's requests are not counted"),
			 errdetail("On this version of PostgreSQL the counters take shared memory that is reserved at the start."),
			 errhint("Set shared_preload_libraries = 'dnc_fdw' in postgresql.conf, and restart the server.")));
}

/* May the caller, who is no member of pg_read_all_stats, see the totals of a server? */
static bool
may_use(const DncTotals *totals, const char *database)
{
	Oid			serverid;

	if (strcmp(NameStr(totals->database), database) != 0)
		return false;
	serverid = get_foreign_server_oid(NameStr(totals->server), true);
	return OidIsValid(serverid) && dnc_server_aclcheck(serverid, GetUserId()) == ACLCHECK_OK;
}

/*
 * dnc_fdw_totals(): the requests of all sessions of the cluster since its start, a row a server.
 * Members of pg_read_all_stats see all rows, others those of the servers in this database that
 * they may use.  Raises 55000 where there is no shared memory.
 */
Datum
dnc_fdw_totals(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		sees_all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	const char *database = get_database_name(MyDatabaseId);
	List	   *all;
	TimestampTz since;
	ListCell   *lc;

	if (!dnc_totals_read(&all, &since))
		refuse_without_memory();
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, all)
	{
		const DncTotals *totals = lfirst(lc);
		bool		of_rest = NameStr(totals->server)[0] == '\0';
		Datum		values[TOTALS_COLUMNS] = {0};
		bool		nulls[TOTALS_COLUMNS] = {0};

		if ((of_rest && totals->counts[DNC_COUNT_REQUESTS] == 0) ||
			(!sees_all && !may_use(totals, database)))
			continue;
		nulls[0] = nulls[1] = of_rest;
		values[0] = name_datum(NameStr(totals->database));
		values[1] = name_datum(NameStr(totals->server));
		values[2] = TimestampTzGetDatum(since);
		count_datums(totals->counts, &values[3]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* The columns of dnc_fdw_get_progress() that not everybody may see. */
static void
progress_details(const DncProgressRow *row, Datum *values, bool *nulls)
{
	values[2] = name_datum(NameStr(row->server));
	values[3] = ObjectIdGetDatum(row->relid);
	nulls[3] = !OidIsValid(row->relid);
	values[4] = CStringGetTextDatum(NameStr(row->action));
	values[5] = Int64GetDatum(row->pages);
	values[6] = Int64GetDatum(row->rows);
	values[7] = Int64GetDatum(row->expected_rows);
	nulls[7] = row->expected_rows < 0;
	values[8] = Int64GetDatum(row->requests);
	values[9] = TimestampTzGetDatum(row->waiting_until);
	nulls[9] = row->waiting_until == 0;
	values[10] = TimestampTzGetDatum(row->started_at);
}

/*
 * dnc_fdw_get_progress(): the work that runs in any session, a row each.  As in
 * pg_stat_progress_*, only the session's own role and members of pg_read_all_stats see the
 * details; others see the process and its database.  Raises 55000 where there is no shared
 * memory.
 */
Datum
dnc_fdw_get_progress(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		sees_all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	List	   *rows;
	ListCell   *lc;

	if (!dnc_progress_read(&rows))
		refuse_without_memory();
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, rows)
	{
		const DncProgressRow *row = lfirst(lc);
		Datum		values[PROGRESS_COLUMNS] = {0};
		bool		nulls[PROGRESS_COLUMNS] = {0};

		values[0] = Int32GetDatum(row->pid);
		values[1] = ObjectIdGetDatum(row->databaseid);
		if (sees_all || has_privs_of_role(GetUserId(), row->userid))
			progress_details(row, values, nulls);
		else
			memset(&nulls[2], true, sizeof(bool) * (PROGRESS_COLUMNS - 2));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
