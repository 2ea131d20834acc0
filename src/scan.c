/*-------------------------------------------------------------------------
 *
 * scan.c
 *		A foreign scan at run time: the pull loop from plan to rows.
 *
 * A scan starts late: not before its first row is asked for are its values
 * evaluated, the token looked up and a request sent, so that EXPLAIN and a
 * branch of the plan that is not run cost nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "credential.h"
#include "decode.h"
#include "pager.h"
#include "plan.h"
#include "request.h"
#include "scan.h"

struct DncScan
{
	ForeignScanState *node;
	Oid			userid;			/* whose token is used: fixed when the query begins */
	DncOptions *options;		/* without a token until the scan starts */
	DncColumnMap *map;
	Bitmapset  *needed;			/* attribute numbers */
	int			nconditions;
	List	   *columns;		/* DncColumn of each condition */
	List	   *ops;			/* DncOp of each condition */
	List	   *values;			/* ExprState of each condition */

	/* The list that is being read; all of it is in context. */
	MemoryContext context;
	bool		started;
	DncPager   *pager;			/* NULL once the list is read, or need not be */
	DncDecoder *decoder;
	DncPage		page;
	const DncJson *entry;		/* the next one of the page; NULL: page is read */
	int			index;			/* its index on the page */

	DncTally	tally;			/* over all lists this scan has read */
	int64		rows;
};

/*
 * Set a scan up from its plan; sends nothing.  palloc'd in the current
 * context, which must be the executor's.
 */
DncScan *
dnc_scan_begin(ForeignScanState *node)
{
	ForeignScan *plan = castNode(ForeignScan, node->ss.ps.plan);
	Relation	relation = node->ss.ss_currentRelation;
	DncScan    *scan = palloc0(sizeof(DncScan));
	ListCell   *lc;

	scan->node = node;
	scan->userid = dnc_scan_user(node);
	scan->options = dnc_options_load(GetForeignServerIdByRelId(RelationGetRelid(relation)),
									 RelationGetRelid(relation));
	scan->map = dnc_column_map(RelationGetRelid(relation), RelationGetRelationName(relation),
							   RelationGetDescr(relation));
	foreach(lc, (List *) list_nth(plan->fdw_private, DNC_PLAN_NEEDED))
		scan->needed = bms_add_member(scan->needed, lfirst_int(lc));
	scan->columns = list_nth(plan->fdw_private, DNC_PLAN_COLUMNS);
	scan->ops = list_nth(plan->fdw_private, DNC_PLAN_OPS);
	scan->nconditions = list_length(scan->columns);
	scan->values = ExecInitExprList(plan->fdw_exprs, &node->ss.ps);
	scan->context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw scan",
										  ALLOCSET_DEFAULT_SIZES);
	return scan;
}

/* The conditions, without values; palloc'd. */
static DncCondition *
make_conditions(DncScan *scan)
{
	DncCondition *conditions = palloc0(sizeof(DncCondition) * Max(scan->nconditions, 1));

	for (int i = 0; i < scan->nconditions; i++)
	{
		conditions[i].column = (DncColumn) list_nth_int(scan->columns, i);
		conditions[i].op = (DncOp) list_nth_int(scan->ops, i);
	}
	return conditions;
}

/* The conditions with the values that they have now; palloc'd. */
static DncCondition *
evaluate_conditions(DncScan *scan)
{
	ExprContext *econtext = scan->node->ss.ps.ps_ExprContext;
	DncCondition *conditions = make_conditions(scan);
	ListCell   *lc;
	int			i = 0;

	foreach(lc, scan->values)
	{
		bool		isnull;
		Datum		value = ExecEvalExpr((ExprState *) lfirst(lc), econtext, &isnull);

		conditions[i++].value = isnull ? NULL : TextDatumGetCString(value);
	}
	return conditions;
}

/* Begin to read the list for the values of now. */
static void
start_scan(DncScan *scan)
{
	MemoryContext before = MemoryContextSwitchTo(scan->context);
	TupleDesc	desc = RelationGetDescr(scan->node->ss.ss_currentRelation);
	DncCondition *conditions = evaluate_conditions(scan);
	const char *search = NULL;

	scan->started = true;
	if (dnc_request_can_match(scan->options, conditions, scan->nconditions))
	{
		if (scan->options->token == NULL)
		{
			MemoryContextSwitchTo(scan->node->ss.ps.state->es_query_cxt);
			dnc_credential_add(scan->options, scan->userid);
			MemoryContextSwitchTo(scan->context);
		}
		for (int i = 0; i < scan->nconditions; i++)
		{
			if (conditions[i].column == DNC_COL_SEARCH)
				search = conditions[i].value;
		}
		scan->decoder = dnc_decoder_make(scan->options, desc, scan->map, scan->needed, search);
		scan->pager = dnc_pager_begin(scan->options,
									  dnc_request_filters(scan->options, conditions,
														  scan->nconditions),
									  &scan->tally);
	}
	MemoryContextSwitchTo(before);
}

/* errcontext: which page. */
static void
describe_page(void *arg)
{
	DncScan    *scan = arg;

	errcontext("page %d of the list of server \"%s\"", dnc_pager_count(scan->pager),
			   scan->options->server_name);
}

/* Go to the next page; at the end of the list pager is NULL. */
static void
read_page(DncScan *scan)
{
	if (!dnc_pager_next(scan->pager, &scan->page))
	{
		scan->pager = NULL;
		return;
	}
	dnc_decoder_page(scan->decoder, scan->page.body, scan->page.length);
	scan->entry = scan->page.first;
	scan->index = 0;
}

/* Go to the next entry of the page. */
static void
step_entry(DncScan *scan)
{
	scan->entry = dnc_json_next(scan->entry);
	scan->index++;
}

/* Has the next page been asked for, and not come yet? */
static bool
must_wait(DncScan *scan)
{
	DncCall    *call = dnc_pager_ask(scan->pager);

	return call && !dnc_call_ready(call);
}

/*
 * Go to the next entry that was not given yet; false: there is none, or, where
 * Append asks several scans at once, it is still to come.
 */
static bool
find_entry(DncScan *scan)
{
	while (scan->pager)
	{
		if (scan->entry == NULL)
		{
			if (scan->node->ss.ps.async_capable && must_wait(scan))
				return false;
			read_page(scan);
		}
		else if (scan->page.given && scan->page.given[scan->index])
			step_entry(scan);
		else
			return true;
	}
	return false;
}

/* The next row into the slot; false: there are no more. */
static bool
fetch_row(DncScan *scan, TupleTableSlot *slot)
{
	if (!find_entry(scan))
		return false;
	dnc_decoder_entry(scan->decoder, scan->entry, scan->index, slot->tts_values,
					  slot->tts_isnull);
	step_entry(scan);
	scan->rows++;
	return true;
}

/*
 * What the next row has to wait for: the call for the next page, which this
 * sends if need be; NULL: nothing.
 */
DncCall *
dnc_scan_ask(DncScan *scan)
{
	if (!scan->started)
		start_scan(scan);
	return scan->pager && scan->entry == NULL ? dnc_pager_ask(scan->pager) : NULL;
}

/* Was the list read to its end, or needed not be? */
bool
dnc_scan_at_end(const DncScan *scan)
{
	return scan->started && scan->pager == NULL;
}

/*
 * The next row of the list into an empty virtual slot, datums in the current
 * context; false: the list was read to its end.  A scan that Append asks along
 * with others does not wait here: false may mean that dnc_scan_ask() has a call
 * that is not ready.
 */
bool
dnc_scan_next(DncScan *scan, TupleTableSlot *slot)
{
	ErrorContextCallback context;
	bool		found;

	if (!scan->started)
		start_scan(scan);
	if (scan->pager == NULL)
		return false;

	context.callback = describe_page;
	context.arg = scan;
	context.previous = error_context_stack;
	error_context_stack = &context;
	found = fetch_row(scan, slot);
	error_context_stack = context.previous;
	return found;
}

/* Begin anew, with the values that the parameters have by then. */
void
dnc_scan_restart(DncScan *scan)
{
	MemoryContextReset(scan->context);
	scan->started = false;
	scan->pager = NULL;
	scan->decoder = NULL;
	scan->entry = NULL;
}

/*
 * The first request of the scan as EXPLAIN shows it: "GET path?query", with $1
 * for a value that is known at run time only; NULL: none is sent.  palloc'd.
 */
char *
dnc_scan_request_text(DncScan *scan)
{
	ForeignScan *plan = castNode(ForeignScan, scan->node->ss.ps.plan);
	const DncListCall *list = &scan->options->provider->list;
	DncCondition *conditions = make_conditions(scan);
	int			run_time_values = 0;

	for (int i = 0; i < scan->nconditions; i++)
	{
		Expr	   *value = list_nth(plan->fdw_exprs, i);

		if (!IsA(value, Const))
		{
			conditions[i].placeholder = true;
			conditions[i].value = psprintf("$%d", ++run_time_values);
		}
		else if (!castNode(Const, value)->constisnull)
			conditions[i].value = TextDatumGetCString(castNode(Const, value)->constvalue);
	}
	if (!dnc_request_can_match(scan->options, conditions, scan->nconditions))
		return NULL;
	return psprintf("GET %s",
					dnc_request_list_target(scan->options, scan->options->page_size,
											dnc_request_filters(scan->options, conditions,
																scan->nconditions),
											list->numbers_first ? list->pagings[0]->parameter
											: NULL, "1"));
}

/* What the scan's requests came to. */
const DncTally *
dnc_scan_tally(const DncScan *scan)
{
	return &scan->tally;
}

/* The entries that the scan got from the remote, before local clauses. */
int64
dnc_scan_rows(const DncScan *scan)
{
	return scan->rows;
}
