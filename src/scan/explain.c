/*-------------------------------------------------------------------------
 *
 * explain.c
 *		EXPLAIN of scans and writes: the requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "executor/instrument.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "plan/plan.h"
#include "scan/explain.h"

/* The most requests of one scan that the text format shows; it only counts the others. */
#define MAX_SHOWN 10

/* Show the requests that a scan begins with: a line each, or a list. */
static void
show_requests(DncScan *scan, ExplainState *es)
{
	bool		as_text = es->format == EXPLAIN_FORMAT_TEXT;
	int			count;
	List	   *requests = dnc_scan_request_texts(scan, as_text ? MAX_SHOWN : INT_MAX, &count);
	ListCell   *lc;

	if (!as_text)
	{
		ExplainPropertyList("Remote Request", requests, es);
		return;
	}
	if (count == 0)
		ExplainPropertyText("Remote Request", "none (nothing can match)", es);
	foreach(lc, requests)
		ExplainPropertyText("Remote Request", lfirst(lc), es);
	if (count > MAX_SHOWN)
		ExplainPropertyText("Remote Request", psprintf("%d more", count - MAX_SHOWN), es);
}

/* If the list replaced lookups, show how many lookups were sent before. */
static void
show_switch(const DncScanCounts *counts, ExplainState *es)
{
	if (counts->switched_after < 0)
		return;
	if (es->format != EXPLAIN_FORMAT_TEXT)
	{
		ExplainPropertyInteger("Lookups before Reading the List", NULL, counts->switched_after, es);
		return;
	}
	appendStringInfoSpaces(es->str, es->indent * 2);
	appendStringInfo(es->str, "Switched to Reading the List after " INT64_FORMAT " Lookups\n",
					 counts->switched_after);
}

/*
 * Show the conditions of a scan on the column match_key.  No request carries them, because no
 * API's search is known to find every spelling.
 */
static void
show_compared_locally(ForeignScanState *node, ExplainState *es)
{
	Scan	   *plan = (Scan *) node->ss.ps.plan;
	Relation	relation = node->ss.ss_currentRelation;
	Bitmapset  *attrs = NULL;
	DncColumnMap *map;

	if (relation == NULL || plan->plan.qual == NIL)
		return;
	pull_varattnos((Node *) plan->plan.qual, plan->scanrelid, &attrs);
	map = dnc_column_map(RelationGetRelid(relation), RelationGetRelationName(relation),
						 RelationGetDescr(relation));
	for (int i = 0; i < map->natts; i++)
	{
		if (map->columns[i] == DNC_COL_MATCH_KEY &&
			bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, attrs))
			ExplainPropertyText("Compared Locally",
								NameStr(TupleDescAttr(RelationGetDescr(relation), i)->attname), es);
	}
}

/* ExplainForeignScan: show the requests that we will send, or have sent. */
void
dnc_explain_scan(ForeignScanState *node, ExplainState *es)
{
	DncScan    *scan = node->fdw_state;
	const ForeignScan *plan = castNode(ForeignScan, node->ss.ps.plan);
	const int64 *counters = dnc_scan_counters(scan)->counts;
	const DncScanCounts *counts = dnc_scan_counts(scan);
	bool		all = es->format != EXPLAIN_FORMAT_TEXT;

	if (OidIsValid(dnc_plan_counted_table(plan)))
		ExplainPropertyText("Counted Table", get_rel_name(dnc_plan_counted_table(plan)), es);
	show_requests(scan, es);
	show_compared_locally(node, es);
	if (es->costs)
		ExplainPropertyFloat("Estimated Requests", NULL, dnc_plan_expected_requests(plan), 0, es);
	if (!es->analyze)
		return;
	ExplainPropertyInteger("Requests", NULL, counters[DNC_COUNT_REQUESTS], es);
	show_switch(counts, es);
	if (all || counts->remembered > 0)
		ExplainPropertyInteger("Lookups Remembered", NULL, counts->remembered, es);
	ExplainPropertyInteger("Rows Fetched", NULL, counts->rows, es);
	if (all || counts->waiting > 0)
		ExplainPropertyInteger("Rows Waiting for COMMIT", NULL, counts->waiting, es);
	if (node->ss.ps.instrument)
		ExplainPropertyFloat("Rows Kept", NULL, node->ss.ps.instrument->ntuples, 0, es);
	ExplainPropertyInteger("Bytes Received", NULL, counters[DNC_COUNT_BYTES], es);
	if (all || counters[DNC_COUNT_RETRIES] > 0)
		ExplainPropertyInteger("Retries", NULL, counters[DNC_COUNT_RETRIES], es);
	if (all || counters[DNC_COUNT_RETRIES] > 0 || counters[DNC_COUNT_WAITED] > 0)
		ExplainPropertyFloat("Time Waited", "ms", counters[DNC_COUNT_WAITED] / 1000.0, 3, es);
}

/*
 * ExplainForeignModify, ExplainDirectModify: show the request for writes.  direct: one request
 * for one entry, even if other requests could take more.
 */
void
dnc_explain_modify(Relation relation, DncAction action, bool direct, ExplainState *es)
{
	int			batch;
	char	   *request = dnc_modify_request_text(relation, action, &batch);

	ExplainPropertyText("Remote Request", request, es);
	if (!direct)
		ExplainPropertyInteger("Entries per Request", NULL, batch, es);
}
