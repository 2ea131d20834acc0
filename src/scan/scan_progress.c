/*-------------------------------------------------------------------------
 *
 * scan_progress.c
 *		A scan in dnc_fdw_progress: its table, and the amount to read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/plannodes.h"

#include "plan/plan.h"
#include "scan/scan_progress.h"

/*
 * Show that a scan of this many chains runs, until the current memory context goes.  The
 * planner's rows are those that pass the local conditions.  If a single chain reads the list,
 * it takes more entries: at least those of all expected pages but the last.
 */
DncProgress *
dnc_scan_progress_begin(const ForeignScanState *node, const DncOptions *options, int chains)
{
	const ForeignScan *plan = castNode(ForeignScan, node->ss.ps.plan);
	double		expected = plan->scan.plan.plan_rows;

	if (chains == 1)
		expected = Max(expected,
					   (dnc_plan_expected_requests(plan) - 1) * options->page_size);
	return dnc_progress_begin("scan", options,
							  linitial_oid(list_nth(plan->fdw_private, DNC_PLAN_TABLE)),
							  expected);
}
