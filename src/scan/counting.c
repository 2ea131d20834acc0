/*-------------------------------------------------------------------------
 *
 * counting.c
 *		Scans that count: a row with the list's total, or a row for each type.
 *
 * The remote gives the total with the first page, even if that page is very short.  It
 * does not know what our own transaction has written: then we read the list, and count.
 * We also do so if the totals of the documented types do not add up to that of the list.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "utils/builtins.h"

#include "list/decode.h"
#include "list/entries.h"
#include "list/total.h"
#include "plan/count_pushdown.h"
#include "scan/chain_rows.h"
#include "scan/counting.h"
#include "scan/state.h"

/* A row that the scan gives. */
typedef struct CountedRow
{
	char	   *type;			/* UTF-8; NULL: none, or all types together */
	int64		count;
} CountedRow;

/* Add to the count of a type, in its group.  Groups last as long as the query. */
static void
add_to_group(DncScan *scan, const char *type, int64 count)
{
	MemoryContext before;
	CountedRow	   *group;
	ListCell   *lc;

	foreach(lc, scan->groups)
	{
		group = lfirst(lc);
		if (type == NULL || group->type == NULL ? type == group->type : strcmp(type, group->type) == 0)
		{
			group->count += count;
			return;
		}
	}
	before = MemoryContextSwitchTo(scan->node->ss.ps.state->es_query_cxt);
	group = palloc(sizeof(CountedRow));
	group->type = type ? pstrdup(type) : NULL;
	group->count = count;
	scan->groups = lappend(scan->groups, group);
	MemoryContextSwitchTo(before);
}

/* The chains that find the entries of a documented type; palloc'd. */
DncChains *
dnc_counting_type_chains(const DncScan *scan, const char *type)
{
	DncCondition *condition = palloc0(sizeof(DncCondition));

	condition->column = DNC_COL_IDENTIFIER_TYPE;
	condition->op = DNC_OP_EQ;
	condition->values = list_make1(pstrdup(type));
	return dnc_filter_chains(scan->options, condition, 1, DNC_ANY_NUMBER);
}

/* The total of the first of some chains, according to the remote. */
static int64
total_of(DncScan *scan, const DncChains *chains)
{
	return dnc_total(scan->options, dnc_filter_chain(chains, 0), scan->page_size, &scan->counters);
}

/*
 * Ask for the totals of the documented types.  False: they do not add up to the list's total.
 * Then the list has other types, or has changed meanwhile.
 */
static bool
ask_for_totals(DncScan *scan)
{
	int64		sum = 0;
	ListCell   *lc;

	foreach(lc, scan->types)
	{
		const char *type = strVal(lfirst(lc));
		int64		count = total_of(scan, dnc_counting_type_chains(scan, type));

		sum += count;
		if (count > 0)
			add_to_group(scan, type, count);
	}
	return sum == total_of(scan, scan->chains);
}

/* Count an entry of the list, unless the transaction has removed it. */
static void
tally_entry(DncScan *scan, const DncJson *entry)
{
	scan->counts.rows++;
	if (scan->own)
	{
		dnc_overlay_note_listed(scan->own, entry);
		if (dnc_overlay_hides(scan->own, entry))
			return;
	}
	add_to_group(scan, dnc_decode_text(scan->options->provider, entry, DNC_COL_IDENTIFIER_TYPE), 1);
}

/* Count the additions of the transaction itself. */
static void
tally_own(DncScan *scan)
{
	const DncWrite *addition;

	dnc_overlay_rewind(scan->own);
	while ((addition = dnc_overlay_next(scan->own, NULL, NULL, NULL)) != NULL)
	{
		scan->counts.waiting++;
		add_to_group(scan, dnc_write_value(addition, DNC_COL_IDENTIFIER_TYPE), 1);
	}
}

/* Read the list, and count its entries by their types. */
static void
tally_list(DncScan *scan)
{
	DncPager   *pager = dnc_pager_begin(scan->options, dnc_filter_chain(scan->chains, 0)->filters,
										&scan->counters);
	DncDecoder *decoder = dnc_decoder_make(scan->options, scan->desc, NULL, NULL, NULL);
	Datum	   *values = palloc(sizeof(Datum) * scan->desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * scan->desc->natts);
	DncEntries	entries = {.pager = pager};
	ErrorContextCallback context;

	dnc_decoder_watch_types(decoder, &scan->warned_of_entry);
	dnc_pager_set_page_size(pager, scan->options->page_size);
	context.callback = dnc_pager_describe;
	context.arg = pager;
	context.previous = error_context_stack;
	error_context_stack = &context;
	while (dnc_entries_next_page(&entries))
	{
		while (dnc_entries_next(&entries))
		{
			CHECK_FOR_INTERRUPTS();
			/* This checks that the entry is as the API promises. */
			dnc_decoder_entry(decoder, &entries, values, nulls);
			tally_entry(scan, entries.entry);
		}
	}
	error_context_stack = context.previous;
	if (scan->own)
		tally_own(scan);
}

/* Find the rows of a scan that gives a row for each type. */
static void
count_by_type(DncScan *scan)
{
	if (scan->chains->count == 0 || (scan->own == NULL && ask_for_totals(scan)))
		return;
	scan->groups = NIL;
	tally_list(scan);
}

/* Find the total of a scan that gives one row; with own writes, we count each row. */
static void
count_all(DncScan *scan, TupleTableSlot *slot)
{
	int64		count = 0;

	if (scan->own)
	{
		while (dnc_chain_rows_fetch(scan, slot))
		{
			ExecClearTuple(slot);
			count++;
		}
	}
	else if (scan->chains->count > 0)
		count = total_of(scan, scan->chains);
	if (count > 0 || !scan->grouped)
		add_to_group(scan, NULL, count);
}

/* Find the rows that the scan gives.  They stay the same when the scan runs again. */
static void
count(DncScan *scan, TupleTableSlot *slot)
{
	MemoryContext before = MemoryContextSwitchTo(scan->context);

	if (scan->types)
		count_by_type(scan);
	else
		count_all(scan, slot);
	scan->counted = true;
	MemoryContextSwitchTo(before);
}

/* Put the next row of a scan that counts into an empty slot; false: there are no more. */
bool
dnc_counting_next(DncScan *scan, TupleTableSlot *slot)
{
	const CountedRow *group;
	ListCell   *lc;

	if (!scan->counted)
		count(scan, slot);
	if (scan->given >= list_length(scan->groups))
		return false;
	group = list_nth(scan->groups, scan->given++);
	foreach(lc, scan->filled)
	{
		Node	   *fill = lfirst(lc);
		int			i = foreach_current_index(lc);

		slot->tts_isnull[i] = false;
		if (IsA(fill, String))
			slot->tts_values[i] = CStringGetTextDatum(strVal(fill));
		else if (intVal(fill) == DNC_FILL_COUNT)
			slot->tts_values[i] = Int64GetDatum(group->count);
		else if (group->type)
			slot->tts_values[i] = CStringGetTextDatum(pg_any_to_server(group->type, strlen(group->type),
																	   PG_UTF8));
		else
			slot->tts_isnull[i] = true;
	}
	ExecStoreVirtualTuple(slot);
	return true;
}
