/*-------------------------------------------------------------------------
 *
 * probe_ask.c
 *		The requests of dnc_fdw_probe() to a server, and its findings.
 *
 * A probe sends only list requests.  Every result of a request is an answer, and no error: a
 * vendor that refuses something has told us something.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "list/paging.h"
#include "sql/probe.h"

/* The first page of the list, with up to limit entries. */
DncPageRequest
dnc_probe_first_page(const DncProbe *probe, int limit)
{
	return dnc_request_first_page(&probe->options, limit);
}

/* The text at a path of an answer, UTF-8; NULL: there is none. */
const char *
dnc_probe_member(const DncProbeAnswer *answer, const char *path)
{
	const DncJson *value = path && answer->tree ? dnc_json_get(answer->tree, path) : NULL;

	return value && dnc_json_kind(value) == DNC_JSON_STRING ? dnc_json_string(value) : NULL;
}

/* The whole number at a path of an answer; -1: there is none. */
int64
dnc_probe_number(const DncProbeAnswer *answer, const char *path)
{
	const DncJson *value = path && answer->tree ? dnc_json_get(answer->tree, path) : NULL;
	int64		number;

	return value && dnc_json_count(value, &number) ? number : -1;
}

/* Does a page say that the list goes on? */
static bool
says_more(const DncProbeAnswer *answer)
{
	const DncPaging *paging = answer->paging;
	const DncJson *more;

	if (paging->style == DNC_PAGING_NUMBER)
		return dnc_probe_number(answer, paging->pages) > dnc_probe_number(answer, paging->page);
	more = dnc_json_get(answer->tree, paging->more);
	return more && dnc_json_kind(more) == DNC_JSON_BOOLEAN && dnc_json_boolean(more) &&
		dnc_probe_member(answer, paging->next) != NULL;
}

/*
 * Find the page in an answer that has come with status 200.  Gives back why there is none, or
 * NULL.
 */
static const char *
read_page(const DncOptions *options, DncFetch *fetch, DncProbeAnswer *answer)
{
	const DncListCall *list = &options->provider->list;
	const DncJson *entries;
	DncProblem	problem;

	answer->tree = dnc_answer_read(dnc_call_answer(fetch->call), &problem);
	if (answer->tree == NULL)
		return "the answer is not what the API documents";
	entries = dnc_json_get(answer->tree, list->entries);
	if (entries == NULL || dnc_json_kind(entries) != DNC_JSON_ARRAY)
		return psprintf("the answer has no \"%s\"", list->entries);
	answer->page.first = dnc_json_first(entries);
	for (const DncJson *entry = answer->page.first; entry; entry = dnc_json_next(entry))
		answer->count++;
	answer->paging = dnc_paging_of_answer(options->provider, answer->tree);
	if (answer->paging == NULL)
		return "the answer does not say whether the list goes on";
	answer->more = says_more(answer);
	return NULL;
}

/*
 * Ask for a page of the list that is narrowed by filters, a list of DncParameter.  Waits for the
 * rate limit like a scan, and sends the request once.  Raises 54000 if that would exceed
 * max_requests.
 */
void
dnc_probe_ask(DncProbe *probe, List *filters, const DncPageRequest *page, DncProbeAnswer *answer)
{
	const DncOptions *options = &probe->options;
	DncFetch   *fetch;
	DncProblem	problem;
	bool		failed;

	memset(answer, 0, sizeof(*answer));
	Assert(probe->counters.counts[DNC_COUNT_REQUESTS] < DNC_PROBE_REQUESTS);
	dnc_max_requests_require(probe->counters.budget, options, 1);
	fetch = dnc_fetch_start(options, filters, &probe->counters, page);
	dnc_call_wait_any(&fetch->call, 1);
	answer->received_at = GetCurrentTimestamp();
	if (dnc_call_last_try(fetch->call, &answer->facts))
		answer->status = answer->facts.status;
	failed = dnc_call_problem(fetch->call, &problem);
	if (answer->status != 0 && answer->status != 200)
		answer->problem = psprintf("the answer has HTTP status %d", answer->status);
	else if (failed)
		answer->problem = psprintf("no whole answer came: %s", problem.message);
	else
		answer->problem = read_page(options, fetch, answer);
}

/* The text in a column of an entry, unchanged, UTF-8; NULL: it has none. */
const char *
dnc_probe_text(const DncProbe *probe, const DncJson *entry, DncColumn column)
{
	return dnc_decode_text(probe->options.provider, entry, column);
}

/* The entry with an id in an answer; NULL: it is not there. */
const DncJson *
dnc_probe_find(const DncProbe *probe, const DncProbeAnswer *answer, const char *id)
{
	for (const DncJson *entry = answer->page.first; entry; entry = dnc_json_next(entry))
	{
		const char *other = dnc_probe_text(probe, entry, DNC_COL_ID);

		if (other && strcmp(other, id) == 0)
			return entry;
	}
	return NULL;
}

/* Add a finding, which has taken all requests since the last one. */
void
dnc_probe_tell(DncProbe *probe, const char *topic, const char *text, const char *setting)
{
	DncFinding *finding = palloc(sizeof(DncFinding));

	finding->topic = topic;
	finding->text = text;
	finding->setting = setting;
	finding->requests = (int) probe->counters.counts[DNC_COUNT_REQUESTS] - probe->told;
	probe->told += finding->requests;
	probe->findings = lappend(probe->findings, finding);
}

/* The statement that sets an option of the server; palloc'd. */
const char *
dnc_probe_setting(const DncProbe *probe, const char *option, const char *value)
{
	ForeignServer *server = GetForeignServer(probe->options.serverid);
	bool		is_set = false;
	ListCell   *lc;

	foreach(lc, server->options)
		is_set = is_set || strcmp(lfirst_node(DefElem, lc)->defname, option) == 0;
	return psprintf("ALTER SERVER %s OPTIONS (%s %s '%s');",
					quote_identifier(server->servername), is_set ? "SET" : "ADD", option, value);
}
