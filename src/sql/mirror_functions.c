/*-------------------------------------------------------------------------
 *
 * mirror_functions.c
 *		Functions and the procedure of mirrors, as users call them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "match/key.h"
#include "match/server_text.h"
#include "mirror/create.h"
#include "mirror/own.h"
#include "mirror/refresh.h"
#include "queue/table.h"

PG_FUNCTION_INFO_V1(dnc_fdw_mirror_create);
PG_FUNCTION_INFO_V1(dnc_fdw_mirror_alter);
PG_FUNCTION_INFO_V1(dnc_fdw_mirror_drop);
PG_FUNCTION_INFO_V1(dnc_fdw_mirror_refresh);
PG_FUNCTION_INFO_V1(dnc_fdw_mirror_guard);
PG_FUNCTION_INFO_V1(dnc_fdw_mirror_is_refused);
PG_FUNCTION_INFO_V1(dnc_fdw_mirror_removed);
PG_FUNCTION_INFO_V1(dnc_fdw_mirror_added);
PG_FUNCTION_INFO_V1(dnc_fdw_screen);

/* The list in the first argument; 22004 if the argument is NULL. */
static Oid
source_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("source must not be NULL")));
	return PG_GETARG_OID(0);
}

/* dnc_fdw_mirror_create(source, max_age, gone_after, max_loss): see dnc_mirror_create(). */
Datum
dnc_fdw_mirror_create(PG_FUNCTION_ARGS)
{
	Oid			source = source_argument(fcinfo);
	DncMirrorTerms terms = {0};

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("max_age, gone_after and max_loss must not be NULL")));
	terms.max_age = PG_GETARG_INTERVAL_P(1);
	terms.gone_after = PG_GETARG_INT32(2);
	terms.max_loss = PG_GETARG_FLOAT8(3);
	dnc_mirror_create(source, &terms);
	PG_RETURN_VOID();
}

/* dnc_fdw_mirror_alter(source, max_age, gone_after, max_loss): see dnc_mirror_alter(). */
Datum
dnc_fdw_mirror_alter(PG_FUNCTION_ARGS)
{
	Oid			source = source_argument(fcinfo);
	int32		gone_after = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	float8		max_loss = PG_ARGISNULL(3) ? 0 : PG_GETARG_FLOAT8(3);

	dnc_mirror_alter(source, PG_ARGISNULL(1) ? NULL : PG_GETARG_INTERVAL_P(1),
					 PG_ARGISNULL(2) ? NULL : &gone_after, PG_ARGISNULL(3) ? NULL : &max_loss);
	PG_RETURN_VOID();
}

/* dnc_fdw_mirror_drop(source): see dnc_mirror_drop(). */
Datum
dnc_fdw_mirror_drop(PG_FUNCTION_ARGS)
{
	dnc_mirror_drop(source_argument(fcinfo));
	PG_RETURN_VOID();
}

/* Is a mode 'delta'?  22023 for a text that is no mode. */
static bool
is_delta(const char *mode)
{
	if (strcmp(mode, "full") != 0 && strcmp(mode, "delta") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("mode \"%s\" does not exist", mode),
				 errhint("The modes are full and delta.")));
	return strcmp(mode, "delta") == 0;
}

/* Raise 25006 where we cannot write. */
static void
require_primary(void)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot refresh a mirror on a standby"),
				 errhint("CALL dnc_fdw_mirror_refresh() on the primary. Replication brings the mirror here.")));
	PreventCommandIfReadOnly("CALL dnc_fdw_mirror_refresh()");
}

/*
 * dnc_fdw_mirror_refresh(source, mode, max_requests, accept_loss): see dnc_mirror_refresh().  The
 * procedure commits between its steps, so it has to be a statement of its own (25001).
 */
Datum
dnc_fdw_mirror_refresh(PG_FUNCTION_ARGS)
{
	DncRefresh	refresh = {0};

	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("CALL dnc_fdw_mirror_refresh() must be a statement of its own"),
				 errdetail("It commits between its steps, so it cannot run in a transaction block, in a function, or with other statements in one string."),
				 errhint("COMMIT first. With psql -c, give it a -c of its own.")));
	require_primary();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("source, mode and accept_loss must not be NULL")));
	refresh.source = PG_GETARG_OID(0);
	refresh.delta = is_delta(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	refresh.max_requests = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	refresh.accept_loss = PG_GETARG_BOOL(3);
	if (!PG_ARGISNULL(2) && refresh.max_requests < 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_requests must be at least 2"),
				 errdetail("A pass that goes on reads its last page again."),
				 errhint("NULL stands for no limit.")));
	dnc_mirror_refresh_by_call(&refresh);
	PG_RETURN_VOID();
}

/* dnc_fdw_mirror_guard(source): see dnc_own_guard(). */
Datum
dnc_fdw_mirror_guard(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(dnc_own_guard(source_argument(fcinfo)));
}

/* dnc_fdw_mirror_is_refused(source): see dnc_own_is_refused(). */
Datum
dnc_fdw_mirror_is_refused(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(dnc_own_is_refused(PG_GETARG_OID(0)));
}

/* dnc_fdw_mirror_removed(source): see dnc_own_removed(). */
Datum
dnc_fdw_mirror_removed(PG_FUNCTION_ARGS)
{
	dnc_own_removed(fcinfo, PG_GETARG_OID(0));
	return (Datum) 0;
}

/* dnc_fdw_mirror_added(source): see dnc_own_added(). */
Datum
dnc_fdw_mirror_added(PG_FUNCTION_ARGS)
{
	dnc_own_added(fcinfo, PG_GETARG_OID(0));
	return (Datum) 0;
}

/* ----- screening ----- */

/* The query of dnc_fdw_screen(), kept for its place in a statement. */
typedef struct Screening
{
	Oid			source;
	SPIPlanPtr	plan;			/* NULL: there is none */
	MemoryContextCallback at_end;	/* frees the plan, which lives outside of the statement */
} Screening;

/* MemoryContextCallbackFunction: free the plan of a Screening. */
static void
free_plan(void *argument)
{
	Screening  *kept = argument;

	if (kept->plan)
		SPI_freeplan(kept->plan);
	kept->plan = NULL;
}

/* The query for a mirror; within SPI.  Runs as the caller, who needs SELECT on the view. */
static SPIPlanPtr
screening_plan(FunctionCallInfo fcinfo, Oid source)
{
	Screening  *kept = fcinfo->flinfo->fn_extra;
	Oid			types[] = {TEXTARRAYOID};
	SPIPlanPtr	plan;

	if (kept == NULL)
	{
		kept = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Screening));
		kept->at_end.func = free_plan;
		kept->at_end.arg = kept;
		MemoryContextRegisterResetCallback(fcinfo->flinfo->fn_mcxt, &kept->at_end);
		fcinfo->flinfo->fn_extra = kept;
	}
	if (kept->plan && kept->source == source)
		return kept->plan;
	free_plan(kept);
	plan = SPI_prepare(psprintf("SELECT EXISTS (SELECT FROM %s WHERE match_key OPERATOR(pg_catalog.=) ANY ($1))",
								dnc_own_view_name(source)), 1, types);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	kept->plan = plan;
	kept->source = source;
	return plan;
}

/* Does the mirror show one of the keys on the list? */
static bool
has_key(FunctionCallInfo fcinfo, Oid source, const DncKeySet *set)
{
	Datum	   *keys = palloc(sizeof(Datum) * Max(set->count, 1));
	Datum		array;
	bool		isnull;
	bool		found;

	for (int i = 0; i < set->count; i++)
	{
		bool		whole;

		keys[i] = CStringGetTextDatum(dnc_match_to_server(set->keys[i], &whole));
	}
	array = PointerGetDatum(construct_array(keys, set->count, TEXTOID, -1, false, TYPALIGN_INT));
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_plan(screening_plan(fcinfo, source), &array, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the mirror");
	found = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	return found;
}

/*
 * dnc_fdw_screen(source, identifier, identifier_type, country): "listed", "free" or "unknown".
 * An identifier that cannot be told, or is NULL, is never "free".
 */
Datum
dnc_fdw_screen(PG_FUNCTION_ARGS)
{
	Oid			source = source_argument(fcinfo);
	char	   *identifier = PG_ARGISNULL(1) ? NULL : dnc_match_from_server(PG_GETARG_TEXT_PP(1));
	const char *type = dnc_match_optional_argument(fcinfo, 2);
	const char *country = dnc_match_optional_argument(fcinfo, 3);
	const char *answer = "unknown";
	DncKeySet	set = {0};

	if (identifier)
		set = dnc_match_keys(identifier, type, country);
	if (has_key(fcinfo, source, &set))
		answer = "listed";
	else if (identifier && dnc_match_key(identifier, type, country))
		answer = "free";
	PG_RETURN_TEXT_P(cstring_to_text(answer));
}
