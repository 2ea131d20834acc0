/*-------------------------------------------------------------------------
 *
 * chain_rows.c
 *		The rows of a scan's chains, one chain after another: from the remote, or kept rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "list/decode.h"
#include "scan/chain_rows.h"

/* The first size of the table of begun chains; it grows. */
#define MANY_CHAINS 64

/* Do we know the rows of the chain with this index? */
static bool
is_known(DncScan *scan, int index)
{
	MemoryContext before = MemoryContextSwitchTo(scan->row_context);
	bool		known;

	MemoryContextReset(scan->row_context);
	known = dnc_lookup_cache_has(scan->lookups, dnc_filter_chain(scan->chains, index)->key);
	MemoryContextSwitchTo(before);
	return known;
}

/*
 * Ask for the first pages of the current chain and of the chains that come next.  We begin with
 * the second chain, because many queries end with the first.
 */
static void
ask_ahead(DncScan *scan)
{
	if (scan->chain_index < 2)
		return;
	(void) dnc_pager_ask(scan->pager);
	for (int i = scan->chain_index; i < scan->chains->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (scan->lookups && is_known(scan, i))
			continue;
		if (!dnc_prefetch_ask_ahead(scan->prefetch, i))
			break;
	}
}

/* Begin to read a chain that is open. */
static void
begin_reading(DncScan *scan, const DncOpenChain *open)
{
	DncReading	reading = {.options = scan->options, .own = scan->own,
		.counted_type = scan->counted_type, .bound = scan->bound, .identity = scan->identity,
	.chain = open->chain, .pager = open->pager};
	MemoryContext before = MemoryContextSwitchTo(scan->chain_context);

	scan->chain = open->chain;
	scan->pager = open->pager;
	reading.decoder = dnc_decoder_make(scan->options, scan->desc, scan->map, scan->needed,
									   scan->chain->search);
	dnc_decoder_watch_types(reading.decoder, &scan->warned_of_entry);
	scan->reader = dnc_reader_begin(&reading);
	MemoryContextSwitchTo(before);
	scan->counts.asked++;
	if (scan->lookups)
		dnc_lookup_cache_begin(scan->lookups, scan->chain->key,
							   scan->reads_list ? scan->indexed : InvalidAttrNumber);
}

/* Keep the rest of the current chain, without giving its rows. */
static void
store_rest(DncScan *scan)
{
	MemoryContext before = MemoryContextSwitchTo(scan->row_context);

	ExecClearTuple(scan->own_slot);
	for (;;)
	{
		MemoryContextReset(scan->row_context);
		CHECK_FOR_INTERRUPTS();
		if (!dnc_reader_next(scan->reader, true, scan->own_slot))
			break;
		scan->counts.rows++;
		dnc_lookup_cache_add(scan->lookups, scan->own_slot);
		ExecClearTuple(scan->own_slot);
	}
	MemoryContextSwitchTo(before);
	dnc_lookup_cache_finish(scan->lookups);
}

/* Begin to give the kept rows of the current chain; false: none are kept. */
static bool
open_known(DncScan *scan, const char *key)
{
	scan->known = scan->lookups
		? dnc_lookup_cache_open(scan->lookups, key, scan->reads_list ? scan->texts : NIL) : NULL;
	return scan->known != NULL;
}

/*
 * Did we begin the current chain before?  Then the executor has stopped in the middle of it,
 * and may do so again for each row of a join.
 */
static bool
is_begun_again(DncScan *scan)
{
	MemoryContext before = MemoryContextSwitchTo(scan->node->ss.ps.state->es_query_cxt);
	bool		again;

	if (scan->begun == NULL)
		scan->begun = dnc_text_set_make(MANY_CHAINS);
	again = !dnc_text_set_add(scan->begun, pstrdup(scan->chain->key));
	MemoryContextSwitchTo(before);
	return again;
}

/*
 * Begin with the next chain; false: there is none.  If we read the list instead of lookups that
 * may come again, we first store the whole list.  We do the same with a chain that begins for
 * the second time, so we ask for its pages at most twice.
 */
static bool
begin_chain(DncScan *scan)
{
	const DncOpenChain *open;
	MemoryContext before;
	int			index = scan->chain_index;

	if (index >= scan->chains->count)
		return false;
	scan->chain_index++;
	MemoryContextReset(scan->chain_context);
	scan->pager = NULL;
	scan->reader = NULL;
	before = MemoryContextSwitchTo(scan->chain_context);
	scan->chain = dnc_filter_chain(scan->chains, index);
	MemoryContextSwitchTo(before);
	if (open_known(scan, scan->chain->key))
	{
		scan->counts.remembered++;
		return true;
	}
	open = dnc_prefetch_open(scan->prefetch, index);
	begin_reading(scan, open);
	ask_ahead(scan);
	if (scan->lookups && (is_begun_again(scan) || scan->reads_list))
	{
		store_rest(scan);
		scan->reader = NULL;
		scan->pager = NULL;
		(void) open_known(scan, scan->chain->key);
	}
	return true;
}

/* The current chain was read to its end. */
static void
end_chain(DncScan *scan)
{
	if (scan->lookups && scan->known == NULL)
		dnc_lookup_cache_finish(scan->lookups);
	dnc_prefetch_close(scan->prefetch, scan->chain_index - 1);
	scan->chain = NULL;
	scan->known = NULL;
	scan->pager = NULL;
	scan->reader = NULL;
}

/*
 * Look at the list's first page.  If there are more pages, begin again with a chain for each
 * type.  False: the page has not come yet.
 */
static bool
look_at_list(DncScan *scan)
{
	MemoryContext before;

	if (!dnc_reader_look(scan->reader, !scan->node->ss.ps.async_capable))
		return false;
	if (!dnc_reader_has_all(scan->reader))
	{
		end_chain(scan);
		before = MemoryContextSwitchTo(scan->context);
		scan->chains = scan->by_type;
		scan->chain_index = 0;
		scan->prefetch = dnc_prefetch_make(scan->chains, &scan->counters, scan->page_size,
										   scan->limit);
		MemoryContextSwitchTo(before);
		(void) begin_chain(scan);
	}
	scan->by_type = NULL;
	return true;
}

/* Put the next row of the current chain into the slot. */
static bool
fetch_chain_row(DncScan *scan, TupleTableSlot *slot)
{
	if (scan->known)
		return dnc_lookup_cache_next(scan->known, slot);
	if (!dnc_reader_next(scan->reader, !scan->node->ss.ps.async_capable, slot))
		return false;
	scan->counts.rows++;
	if (scan->lookups)
		dnc_lookup_cache_add(scan->lookups, slot);
	return true;
}

/*
 * Put the next row from the remote, or the next known row, into the slot; false: there are no
 * more, or the row has not come yet.
 */
static bool
next_remote_row(DncScan *scan, TupleTableSlot *slot)
{
	while (scan->chain || begin_chain(scan))
	{
		if (scan->by_type && !look_at_list(scan))
			return false;
		if (fetch_chain_row(scan, slot))
			return true;
		if (scan->known == NULL && !dnc_reader_at_end(scan->reader))
			return false;		/* its page has not come yet */
		end_chain(scan);
	}
	return false;
}

/*
 * Put the next row of the scan into the slot, with the transaction's own additions last; false:
 * there are no more, or the row has not come yet.
 */
bool
dnc_chain_rows_fetch(DncScan *scan, TupleTableSlot *slot)
{
	if (next_remote_row(scan, slot))
		return true;
	if (scan->chain || scan->own_rows == NULL || !dnc_own_rows_next(scan->own_rows, slot))
		return false;
	scan->counts.waiting++;
	return true;
}

/* Begin with the first or the next chain, if there is no current one.  Asks for nothing ahead. */
void
dnc_chain_rows_begin(DncScan *scan)
{
	if (scan->chain == NULL)
		(void) begin_chain(scan);
}

/*
 * The executor has stopped in the middle of a chain, and begins again.  If the whole chain has
 * come, including its last page, we keep the rest of it, because the executor will ask for the
 * same again.
 */
void
dnc_chain_rows_keep_rest(DncScan *scan)
{
	if (scan->lookups && scan->reader && dnc_reader_has_all(scan->reader))
		store_rest(scan);
}
