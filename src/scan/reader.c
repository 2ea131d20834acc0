/*-------------------------------------------------------------------------
 *
 * reader.c
 *		The entries of one chain, page by page, as rows.
 *
 * We leave out an entry that belongs to another chain, or that the transaction itself
 * has removed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "scan/reader.h"

struct DncReader
{
	DncReading	reading;
	DncEntries	entries;
	MemoryContext row_context;	/* holds the datums of one row; NULL: the caller's context does */
	bool		at_end;			/* no page follows the last one */
};

/* Begin to read a chain; palloc'd in the current context.  Sends nothing yet. */
DncReader *
dnc_reader_begin(const DncReading *reading)
{
	DncReader  *reader = palloc0(sizeof(DncReader));

	reader->reading = *reading;
	reader->entries.pager = reading->pager;
	if (reading->bound)
		reader->row_context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw read row",
													ALLOCSET_SMALL_SIZES);
	return reader;
}

/* Does an entry belong to this chain, rather than to another one? */
static bool
belongs_to_chain(const DncChain *chain, const DncJson *entry)
{
	ListCell   *lc;

	foreach(lc, chain->checks)
	{
		const DncChainCheck *check = lfirst(lc);
		const DncJson *value = dnc_json_get(entry, check->member);

		const char *text;

		if (value == NULL || dnc_json_kind(value) != DNC_JSON_STRING)
			continue;
		text = dnc_json_string(value);
		if (check->ignores_plus && *text == '+')
			text++;
		if (strcmp(text, check->value) != 0)
			return false;
	}
	return true;
}

/* Tell a DELETE about the current entry, unless the transaction has already removed it. */
static void
see(DncReader *reader)
{
	const DncReading *reading = &reader->reading;

	if (reading->identity &&
		(reading->own == NULL || !dnc_overlay_hides(reading->own, reader->entries.entry)))
		dnc_row_identity_see(reading->identity, reader->entries.entry);
}

/* Do we leave out the current entry? */
static bool
is_left_out(const DncReader *reader)
{
	const DncReading *reading = &reader->reading;
	const DncJson *entry = reader->entries.entry;

	if (reading->own &&
		(dnc_overlay_hides(reading->own, entry) ||
		 !dnc_overlay_is_of_type(reading->own, entry, reading->counted_type)))
		return true;
	return !belongs_to_chain(reading->chain, entry);
}

/*
 * Go to the next page, or to the end.  False: we have asked for the page, but it has not come
 * yet, and we must not wait.
 */
static bool
turn_page(DncReader *reader, bool may_wait)
{
	if (!may_wait)
	{
		DncCall    *call = dnc_pager_ask(reader->reading.pager);

		if (call && !dnc_call_poll(call))
			return false;
	}
	reader->at_end = !dnc_entries_next_page(&reader->entries);
	return true;
}

/* Go to the next entry to give; false: there is none, or it has not come yet. */
static bool
find_entry(DncReader *reader, bool may_wait)
{
	for (;;)
	{
		while (dnc_entries_next(&reader->entries))
		{
			if (reader->reading.own)
				dnc_overlay_note_listed(reader->reading.own, reader->entries.entry);
			see(reader);
			if (!is_left_out(reader))
				return true;
		}
		if (reader->at_end || !turn_page(reader, may_wait))
			return false;
	}
}

/* Put the current entry into the slot; false: it is outside of the bound, and left out. */
static bool
give_entry(DncReader *reader, TupleTableSlot *slot)
{
	const DncReading *reading = &reader->reading;
	const DncJson *entry = reader->entries.entry;

	dnc_decoder_entry(reading->decoder, &reader->entries, slot->tts_values, slot->tts_isnull);
	ExecStoreVirtualTuple(slot);
	if (reading->bound &&
		dnc_bound_hides(reading->bound, slot,
						dnc_decode_text(reading->options->provider, entry,
										DNC_COL_IDENTIFIER_TYPE)))
	{
		ExecClearTuple(slot);
		return false;
	}
	if (reading->identity)
		dnc_row_identity_add_entry(reading->identity, entry, &slot->tts_tid);
	return true;
}

/*
 * Go to the next entry within the bound, and put it into the slot.  Many entries may be
 * outside, so with a bound we do not leave their datums in the caller's memory; the datums of
 * the entry in the slot last until the next call.
 */
static bool
find_within(DncReader *reader, bool may_wait, TupleTableSlot *slot)
{
	bool		found = false;

	while (!found && find_entry(reader, may_wait))
	{
		MemoryContext before = CurrentMemoryContext;

		if (reader->row_context)
		{
			MemoryContextReset(reader->row_context);
			MemoryContextSwitchTo(reader->row_context);
		}
		found = give_entry(reader, slot);
		MemoryContextSwitchTo(before);
	}
	return found;
}

/*
 * Put the next entry into an empty slot, with datums in the current context.  False: all
 * entries were read, or the next page has not come yet and we must not wait.  Raises the errors
 * of reading pages and of decoding entries.
 */
bool
dnc_reader_next(DncReader *reader, bool may_wait, TupleTableSlot *slot)
{
	ErrorContextCallback context;
	bool		found;

	context.callback = dnc_pager_describe;
	context.arg = reader->reading.pager;
	context.previous = error_context_stack;
	error_context_stack = &context;
	found = find_within(reader, may_wait, slot);
	error_context_stack = context.previous;
	return found;
}

/*
 * The call that the next entry waits for: that of the next page, which we send if needed; NULL:
 * there is nothing to wait for.
 */
DncCall *
dnc_reader_ask(DncReader *reader)
{
	if (reader->at_end || !dnc_entries_page_is_read(&reader->entries))
		return NULL;
	return dnc_pager_ask(reader->reading.pager);
}

/*
 * Get the first page, without giving any of its entries.  False: the page has not come yet, and
 * we must not wait.
 */
bool
dnc_reader_look(DncReader *reader, bool may_wait)
{
	ErrorContextCallback context;
	bool		come;

	if (dnc_pager_count(reader->reading.pager) > 0)
		return true;
	context.callback = dnc_pager_describe;
	context.arg = reader->reading.pager;
	context.previous = error_context_stack;
	error_context_stack = &context;
	come = turn_page(reader, may_wait);
	error_context_stack = context.previous;
	return come;
}

/* Was the whole chain read? */
bool
dnc_reader_at_end(const DncReader *reader)
{
	return reader->at_end;
}

/* Has the whole chain come, read or not? */
bool
dnc_reader_has_all(const DncReader *reader)
{
	return reader->at_end || dnc_pager_at_end(reader->reading.pager);
}
