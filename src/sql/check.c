/*-------------------------------------------------------------------------
 *
 * check.c
 *		dnc_fdw_check(): does a server answer, and does it take the token?
 *
 * We send one list request, for one entry, as the caller would send it, and read the answer as a
 * scan does.  The remote's answer, or its failure, becomes a row.  A fault on our side is an
 * error, as in a scan, since no question was asked.
 *
 * Without an argument we check all servers that the caller may use.  Then a fault on our side is
 * a row, too, so that we still check the other servers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "catch.h"
#include "config/credential.h"
#include "list/decode.h"
#include "list/entries.h"
#include "sql/servers.h"

#define CHECK_COLUMNS 6

/* The result of a check. */
typedef struct CheckResult
{
	char	   *message;		/* NULL: all is well */
	bool		sent;			/* else the rate limit did not let the request through */
	DncTryFacts facts;			/* zeros if the request was not sent */
} CheckResult;

PG_FUNCTION_INFO_V1(dnc_fdw_check);
PG_FUNCTION_INFO_V1(dnc_fdw_check_all);

/* An error's message and DETAIL, which may be NULL, in one line without control characters; palloc'd. */
static char *
one_line(const char *message, const char *detail)
{
	char	   *line = psprintf("%s%s%s", message, detail ? ": " : "", detail ? detail : "");

	for (char *c = line; *c; c++)
	{
		if ((unsigned char) *c < 0x20 || *c == 0x7f)
			*c = ' ';
	}
	return line;
}

/* Read the page that has come; raises 08P01 where the page is no part of a list of this API. */
static void
read_page(DncPager *pager, const DncOptions *options)
{
	/* Without columns, the decoder still checks that an entry has what the API promises. */
	DncDecoder *decoder = dnc_decoder_make(options, CreateTemplateTupleDesc(0), NULL, NULL, NULL);
	DncEntries	entries = {.pager = pager};
	Datum		no_value;
	bool		no_null;

	if (!dnc_entries_next_page(&entries))
		return;
	while (dnc_entries_next(&entries))
		dnc_decoder_entry(decoder, &entries, &no_value, &no_null);
}

/*
 * The problem of an answer that came with a good status, palloc'd; NULL: there is none.
 *
 * The problem is raised where it is noticed, deep in the reading, and caught here.  That takes no
 * subtransaction, since there is nothing to give back.  The answer is there, so we read it in
 * memory, with no look at a catalog.  And only remote_error.c raises 08P01, when no lock is held.
 * Any other error goes on.
 */
static char *
answer_problem(DncPager *pager, const DncOptions *options)
{
	MemoryContext before = CurrentMemoryContext;
	char	   *volatile problem = NULL;

	PG_TRY();
	{
		read_page(pager, options);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		if (geterrcode() != ERRCODE_PROTOCOL_VIOLATION)
			PG_RE_THROW();
		MemoryContextSwitchTo(before);
		error = CopyErrorData();
		FlushErrorState();
		problem = one_line(error->message, error->detail);
	}
	PG_END_TRY();
	return problem;
}

/* Send the request, and note the result; palloc'd in the current context. */
static void
run_check(Oid serverid, CheckResult *result)
{
	DncOptions	options;		/* a copy of our own */
	DncCounters *counters = palloc0(sizeof(DncCounters));
	DncPager   *pager;
	DncCall    *call;
	DncProblem	problem;

	options = *dnc_credential_options(dnc_options_load(serverid, InvalidOid), GetUserId());
	options.max_retries = 0;	/* we ask for the state of now */
	dnc_counters_begin(counters, &options, dnc_max_requests_of_statement(&options));
	pager = dnc_pager_begin(&options, NIL, counters);
	dnc_pager_set_page_size(pager, 1);
	call = dnc_pager_ask(pager);
	dnc_call_wait_any(&call, 1);
	result->sent = dnc_call_last_try(call, &result->facts);
	if (dnc_call_problem(call, &problem))
		result->message = one_line(problem.message, problem.detail);
	else
		result->message = answer_problem(pager, &options);
}

/* Milliseconds as an interval. */
static Datum
interval_datum(double ms)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = (TimeOffset) (ms * 1000);
	return IntervalPGetDatum(interval);
}

/* The result of a check as the columns that show it. */
static void
result_datums(const CheckResult *result, Datum *values, bool *nulls)
{
	values[0] = BoolGetDatum(result->message == NULL);
	values[1] = Int32GetDatum(result->facts.status);
	nulls[1] = result->facts.status == 0;
	nulls[2] = result->message == NULL;
	if (result->message)
		values[2] = CStringGetTextDatum(result->message);
	values[3] = interval_datum(result->facts.elapsed_ms);
	nulls[3] = !result->sent;
	values[4] = Int32GetDatum(result->facts.rate.limit);
	values[5] = Int32GetDatum(result->facts.rate.remaining);
	nulls[4] = nulls[5] = result->facts.rate.limit == 0;
}

/*
 * dnc_fdw_check(server name): ok, http_status, message, latency, rate_limit,
 * rate_remaining.  A value that the answer did not have is NULL.
 */
Datum
dnc_fdw_check(PG_FUNCTION_ARGS)
{
	const char *name = NameStr(*PG_GETARG_NAME(0));
	Oid			serverid = get_foreign_server_oid(name, false);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw check",
												  ALLOCSET_DEFAULT_SIZES);
	CheckResult result = {0};
	Datum		values[CHECK_COLUMNS] = {0};
	bool		nulls[CHECK_COLUMNS] = {0};
	MemoryContext before;
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "dnc_fdw_check() must return a row");
	dnc_server_require(serverid, name);
	before = MemoryContextSwitchTo(context);
	run_check(serverid, &result);
	MemoryContextSwitchTo(before);
	result_datums(&result, values, nulls);
	MemoryContextDelete(context);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* The arguments of run_one_check(). */
typedef struct Check
{
	Oid			serverid;
	CheckResult *result;
} Check;

/* run_check(), for dnc_catch(). */
static void
run_one_check(void *argument)
{
	const Check *check = argument;

	run_check(check->serverid, check->result);
}

/* The same as run_check(), but a fault on our side is a result, too; see dnc_catch(). */
static void
run_check_caught(Oid serverid, CheckResult *result)
{
	Check		check = {serverid, result};
	ErrorData  *error = dnc_catch(run_one_check, &check);

	if (error == NULL)
		return;
	memset(result, 0, sizeof(*result));
	result->message = one_line(error->message, error->detail);
}

/*
 * dnc_fdw_check(): server, and the columns of dnc_fdw_check(server), a row for each server of
 * dnc_fdw that the caller may use, by name.
 */
Datum
dnc_fdw_check_all(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rows = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw check",
									ALLOCSET_DEFAULT_SIZES);
	foreach(lc, dnc_servers_of_user())
	{
		ForeignServer *server = lfirst(lc);
		MemoryContext before = MemoryContextSwitchTo(context);
		CheckResult result = {0};
		Datum		values[1 + CHECK_COLUMNS] = {0};
		bool		nulls[1 + CHECK_COLUMNS] = {0};

		run_check_caught(server->serverid, &result);
		values[0] = DirectFunctionCall1(namein, CStringGetDatum(server->servername));
		result_datums(&result, &values[1], &nulls[1]);
		MemoryContextSwitchTo(before);
		tuplestore_putvalues(rows->setResult, rows->setDesc, values, nulls);
		MemoryContextReset(context);
	}
	return (Datum) 0;
}
