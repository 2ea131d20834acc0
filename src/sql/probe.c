/*-------------------------------------------------------------------------
 *
 * probe.c
 *		dnc_fdw_probe(): a vendor's behaviour where its documents are silent.
 *
 * We send at most DNC_PROBE_REQUESTS list requests, as the caller would send them.  Each finding
 * is a row.  If another value of an option would fit better, the row has the statement that sets
 * it.  No finding shows an identifier, nor the vendor's words about one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "config/credential.h"
#include "sql/probe.h"
#include "sql/servers.h"

#define PROBE_COLUMNS 4

/* All vendors give a page of this size: it is no more than their smallest default. */
#define SMALL_PAGE 10

/* Seconds from 1970, where HTTP's dates begin, to 2000, where PostgreSQL's do. */
#define EPOCH_SECONDS ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY)

PG_FUNCTION_INFO_V1(dnc_fdw_probe);

/* Does the answer call the request a bad request (RFC 9110 15.5)? */
static bool
is_refused(const DncProbeAnswer *answer)
{
	return answer->status == 400 || answer->status == 422;
}

/*
 * Read the first page, as large as users may ask for.  If that is refused, we ask for a page of
 * the size in force, and then for a small page.
 */
static void
ask_first_page(DncProbe *probe)
{
	const int	limits[] = {probe->options.provider->list.page_size_max,
	probe->options.page_size, SMALL_PAGE};

	for (size_t i = 0; i < lengthof(limits); i++)
	{
		DncPageRequest page = dnc_probe_first_page(probe, limits[i]);

		if (i > 0 && limits[i] >= probe->limit)
			continue;
		if (i > 0)
			probe->refused_limit = probe->limit;
		probe->limit = limits[i];
		dnc_probe_ask(probe, NIL, &page, &probe->first);
		if (!is_refused(&probe->first))
			return;
	}
}

/* Read the first page.  False: the server gives no list, and we have told so. */
static bool
read_first_page(DncProbe *probe)
{
	ask_first_page(probe);
	if (probe->first.problem == NULL)
		dnc_probe_tell(probe, "token", "the server takes it", NULL);
	else if (probe->first.status == 401 || probe->first.status == 403)
		dnc_probe_tell(probe, "token",
					   psprintf("the server refuses it (HTTP status %d)", probe->first.status),
					   NULL);
	else
		dnc_probe_tell(probe, "token",
					   psprintf("cannot be told, and nothing else: %s", probe->first.problem),
					   NULL);
	return probe->first.problem == NULL;
}

/* Tell the rate limit in the headers of the first answer. */
static void
tell_rate_limit(DncProbe *probe)
{
	const DncRateHeaders *rate = &probe->first.facts.rate;
	const char *text;

	if (rate->limit > 0)
		text = psprintf("answers have RateLimit headers: %d requests a window, %d left, %.0f s to the next",
						rate->limit, rate->remaining, rate->reset_ms / 1000);
	else if (probe->options.requests_per_minute > 0)
		text = psprintf("answers have no RateLimit headers: requests_per_minute counts, which is %d",
						probe->options.requests_per_minute);
	else
		text = "answers have no RateLimit headers, and requests_per_minute sets no limit: ask the vendor for one";
	dnc_probe_tell(probe, "rate_limit", text, NULL);
}

/*
 * Tell how far the server's clock is off.  The header Date has whole seconds, and servers may use
 * the same Date for a second.  The answer was made at some time between its request and its
 * arrival.
 */
static void
tell_clock(DncProbe *probe)
{
	const DncProbeAnswer *first = &probe->first;
	double		elapsed = first->facts.elapsed_ms / 1000;
	double		ahead = (double) (first->facts.date - EPOCH_SECONDS) + 0.5 -
		(first->received_at / (double) USECS_PER_SEC - elapsed / 2);
	const char *text;

	if (first->facts.date < 0)
		text = "answers do not tell the time";
	else if (fabs(ahead) < 2 + elapsed / 2)
		text = "agrees with ours";
	else
		text = psprintf("is about %.0f s %s ours", fabs(rint(ahead)),
						ahead > 0 ? "ahead of" : "behind");
	dnc_probe_tell(probe, "clock", text, NULL);
}

/* Begin a probe of a server, in the current context. */
static DncProbe *
begin_probe(Oid serverid)
{
	DncProbe   *probe = palloc0(sizeof(DncProbe));

	probe->options = *dnc_credential_options(dnc_options_load(serverid, InvalidOid), GetUserId());
	probe->options.max_retries = 0; /* we may send only a few requests */
	dnc_counters_begin(&probe->counters, &probe->options,
					   dnc_max_requests_of_statement(&probe->options));
	return probe;
}

/*
 * dnc_fdw_probe(server name): topic, finding, setting, requests.  Raises the errors of
 * dnc_fdw_check(server), and 54000 where max_requests allows too few requests.
 */
Datum
dnc_fdw_probe(PG_FUNCTION_ARGS)
{
	const char *name = NameStr(*PG_GETARG_NAME(0));
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			serverid = get_foreign_server_oid(name, false);
	MemoryContext before;
	MemoryContext context;
	DncProbe   *probe;
	ListCell   *lc;

	dnc_server_require(serverid, name);
	InitMaterializedSRF(fcinfo, 0);
	context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw probe",
									ALLOCSET_DEFAULT_SIZES);
	before = MemoryContextSwitchTo(context);
	probe = begin_probe(serverid);
	if (read_first_page(probe))
	{
		dnc_probe_list(probe);
		dnc_probe_search(probe);
		tell_rate_limit(probe);
		tell_clock(probe);
	}
	foreach(lc, probe->findings)
	{
		const DncFinding *finding = lfirst(lc);
		Datum		values[PROBE_COLUMNS] = {0};
		bool		nulls[PROBE_COLUMNS] = {0};

		values[0] = CStringGetTextDatum(finding->topic);
		values[1] = CStringGetTextDatum(finding->text);
		nulls[2] = finding->setting == NULL;
		if (finding->setting)
			values[2] = CStringGetTextDatum(finding->setting);
		values[3] = Int32GetDatum(finding->requests);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return (Datum) 0;
}
