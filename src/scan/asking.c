/*-------------------------------------------------------------------------
 *
 * asking.c
 *		The requests of a scan for its current values: lookups, or the list.
 *
 * The planner guesses how many values there will be.  Here we know: if looking them up
 * takes more requests than the list has pages, we read the list.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "replication/walsender.h"
#include "utils/memutils.h"

#include "compat.h"
#include "config/credential.h"
#include "config/registry.h"
#include "request/max_requests.h"
#include "scan/asking.h"
#include "scan/reruns.h"
#include "scan/scan_progress.h"

/*
 * An attribute that holds the text of a column, and that we decode; 0: there is none.  An index
 * on an attribute that we do not decode would have no rows.
 */
static AttrNumber
decoded_attribute(const DncScan *scan, DncColumn column)
{
	for (int i = 0; i < scan->map->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(scan->desc, i);

		if (scan->map->columns[i] == column && bms_is_member(i + 1, scan->needed) &&
			dnc_column_keeps_text(att->atttypid, att->atttypmod))
			return i + 1;
	}
	return InvalidAttrNumber;
}

/* Note the column that a scan looks up, and its values, for rows that come from the stored list. */
static void
note_lookup(DncScan *scan, const DncCondition *conditions, int count)
{
	scan->indexed = InvalidAttrNumber;
	scan->texts = NIL;
	for (int i = 0; i < count && scan->map; i++)
	{
		if (!dnc_filter_is_lookup(conditions[i].column, conditions[i].op) ||
			conditions[i].column == DNC_COL_SEARCH)
			continue;
		scan->indexed = decoded_attribute(scan, conditions[i].column);
		scan->texts = conditions[i].values;
		return;
	}
}

/* Does a condition ask for a search?  The list cannot answer a search. */
static bool
searches(const DncCondition *conditions, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (conditions[i].column == DNC_COL_SEARCH)
			return true;
	}
	return false;
}

/* Do we know the rows of all chains? */
static bool
all_known(DncScan *scan)
{
	for (int i = 0; i < scan->chains->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!dnc_lookup_cache_has(scan->lookups, dnc_filter_chain(scan->chains, i)->key))
			return false;
	}
	return true;
}

/*
 * Has the scan sent as many requests as the list has pages?  Then asking on would cost more
 * than the list.  Once this is true, it stays true, because the list is stored.
 */
static bool
has_asked_too_often(DncScan *scan, const DncCondition *conditions, int count)
{
	if (scan->counts.switched_after >= 0)
		return true;
	return scan->lookups && !searches(conditions, count) &&
		scan->counters.counts[DNC_COUNT_REQUESTS] >= scan->list_requests &&
		!all_known(scan);
}

/*
 * Refuse to read for a subscriber of logical replication (0A000).  PostgreSQL allows publishing
 * a partitioned table with foreign tables among its partitions.  A subscriber's first copy of
 * it would read the list, through a walsender, but would never get a later change of the list.
 */
static void
refuse_replication(const DncScan *scan)
{
	if (am_walsender)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot read the list of server \"%s\" over a replication connection",
						scan->options->server_name),
				 errdetail("A subscriber would copy the list once, and never see a change of it."),
				 errhint("Publish an ordinary table that is kept up to date with the list.")));
}

/* Look up the token, and begin to count requests and to see the transaction's own writes. */
static void
begin_own(DncScan *scan)
{
	MemoryContext before = MemoryContextSwitchTo(scan->node->ss.ps.state->es_query_cxt);

	scan->options = dnc_credential_options(scan->options, scan->userid);
	dnc_counters_begin(&scan->counters, scan->options,
					   dnc_max_requests_of_statement(scan->options));
	scan->counters.progress = dnc_scan_progress_begin(scan->node, scan->options,
													  scan->chains->count);
	scan->own = dnc_overlay_begin(scan->options, scan->node->ss.ps.state->es_snapshot->curcid);
	scan->own_begun = true;
	MemoryContextSwitchTo(before);
}

/* The chains for some conditions; with own writes, also for all entries with the same identity. */
static DncChains *
make_chains(const DncScan *scan, const DncCondition *conditions, int count)
{
	return scan->own
		? dnc_filter_chains_by_identity(scan->options, conditions, count, scan->list_requests)
		: dnc_filter_chains(scan->options, conditions, count, scan->list_requests);
}

/*
 * Ask for the list instead of looking up the current values.  Only conditions that stay the
 * same narrow the list, so one reading serves all values.
 */
static void
ask_for_list(DncScan *scan, DncCondition *conditions)
{
	int			count = dnc_runtime_values_keep_fixed(scan->conditions, conditions);

	if (scan->counts.switched_after < 0)
		scan->counts.switched_after = scan->counts.asked;
	scan->chains = make_chains(scan, conditions, count);
	scan->reads_list = true;
}

/*
 * Is it possible that the list has only one page?  Then a scan for many types looks at the
 * first page before it asks for each type.
 */
bool
dnc_asking_may_be_short(const DncScan *scan)
{
	return scan->may_be_short && !scan->gives_total && scan->lookups == NULL;
}

/* Look at the list's first page first, if that page may answer for many types. */
static void
look_at_list_first(DncScan *scan, const DncCondition *conditions, int count)
{
	DncChains  *list = dnc_asking_may_be_short(scan)
		? dnc_filter_chains_of_any_type(scan->chains, conditions, count) : NULL;

	if (list == NULL)
		return;
	scan->by_type = scan->chains;
	scan->chains = list;
}

/* A WARNING shows at most this many bytes of an unknown type. */
#define MAX_SHOWN_TYPE 64

/*
 * Raise a WARNING, once in a scan, if the query asks for a type that no vendor documents.  The
 * type may be misspelt, so that somebody who is listed is not found.
 */
static void
warn_of_types(DncScan *scan, const DncCondition *conditions, int count)
{
	const DncProvider *provider = scan->options->provider;

	for (int i = 0; i < count && !scan->warned_of_value; i++)
	{
		ListCell   *lc;

		if (conditions[i].column != DNC_COL_IDENTIFIER_TYPE)
			continue;
		foreach(lc, conditions[i].values)
		{
			const char *type = lfirst(lc);

			CHECK_FOR_INTERRUPTS();
			if (dnc_provider_has_type(provider, type) || dnc_registry_lacks_type(provider, type))
				continue;
			ereport(WARNING,
					(errmsg("no vendor documents the identifier type \"%s\"",
							pnstrdup(type, pg_mbcliplen(type, (int) strlen(type), MAX_SHOWN_TYPE))),
					 errdetail("The whole list of server \"%s\" is read to look for it.",
							   scan->options->server_name),
					 errhint("Types are case-sensitive. Those of provider \"%s\" are: %s.",
							 provider->name, dnc_provider_type_names(provider))));
			scan->warned_of_value = true;
			break;
		}
	}
}

/*
 * Find the chains for the current values.  In scan->context, except for data that outlives a
 * restart.
 */
static void
choose_chains(DncScan *scan)
{
	int			count = dnc_runtime_values_count(scan->conditions);
	DncCondition *conditions;

	conditions = dnc_runtime_values_evaluate(scan->conditions, scan->node->ss.ps.ps_ExprContext);
	scan->chains = dnc_filter_chains(scan->options, conditions, count, scan->list_requests);
	scan->identifier = dnc_runtime_values_only_value(scan->conditions, conditions, DNC_COL_IDENTIFIER);
	if (scan->gives_total)
		scan->counted_type = dnc_runtime_values_only_value(scan->conditions, conditions,
														   DNC_COL_IDENTIFIER_TYPE);
	scan->reads_list = false;
	scan->by_type = NULL;
	if (scan->chains->count == 0)
		return;
	warn_of_types(scan, conditions, count);
	note_lookup(scan, conditions, count);
	if (!scan->own_begun)
	{
		refuse_replication(scan);
		begin_own(scan);
	}
	/* The few entries that a LIMIT asks for may all be hidden, so we use whole pages. */
	if (scan->own || scan->bound)
		scan->page_size = scan->options->page_size;
	scan->chains = make_chains(scan, conditions, count);
	if (has_asked_too_often(scan, conditions, count))
		ask_for_list(scan, conditions);
	else
	{
		scan->reads_list = scan->indexed != InvalidAttrNumber &&
			!dnc_filter_sends_lookup(scan->chains);
		look_at_list_first(scan, conditions, count);
	}
}

/* Prepare to give the entries that our own transaction has added. */
static void
begin_own_rows(DncScan *scan)
{
	DncOwnReading reading = {.options = scan->options, .own = scan->own, .chains = scan->chains,
		.identifier = scan->identifier, .type = scan->counted_type, .desc = scan->desc,
	.map = scan->map, .needed = scan->needed, .bound = scan->bound,
	.identity = scan->identity};

	scan->own_rows = dnc_own_rows_begin(&reading);
}

/*
 * Prepare to keep the rows of a scan that may run again, unless we have already done so.  We
 * look at the plan, because the executor's flags do not tell.
 */
static void
keep_rows(DncScan *scan)
{
	EState	   *estate = scan->node->ss.ps.state;
	MemoryContext before;

	if (scan->gives_total || scan->lookups || scan->kept ||
		(!scan->rewinds && !dnc_reruns_are_possible(estate, scan->node->ss.ps.plan)))
		return;
	before = MemoryContextSwitchTo(estate->es_query_cxt);
	if (!dnc_runtime_values_vary(scan->conditions))
		scan->kept = dnc_kept_rows_make(estate, scan->desc);
	else
	{
		scan->lookups = dnc_lookup_cache_make(scan->desc, work_mem * (Size) 1024);
		scan->own_slot = ExecInitExtraTupleSlot(estate, scan->desc, &TTSOpsVirtual);
		scan->row_context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw read ahead",
												  ALLOCSET_SMALL_SIZES);
	}
	MemoryContextSwitchTo(before);
}

/* Begin with the current values; sends nothing. */
void
dnc_asking_start(DncScan *scan)
{
	MemoryContext before = MemoryContextSwitchTo(scan->context);

	scan->started = true;
	scan->chain_index = 0;
	keep_rows(scan);
	choose_chains(scan);
	if (scan->own)
		begin_own_rows(scan);
	scan->prefetch = dnc_prefetch_make(scan->chains, &scan->counters, scan->page_size, scan->limit);
	MemoryContextSwitchTo(before);
}

