/*-------------------------------------------------------------------------
 *
 * reader.c
 *		The entries of one chain, page by page, as rows.
 *
 * What a page has that was given before, that belongs to another chain or that
 * the transaction itself has removed is left out here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "scan/reader.h"

struct DncReader
{
	DncReading	reading;
	bool		at_end;			/* there is no page behind the last one */
	DncPage		page;
	const DncJson *entry;		/* the next one of the page; NULL: the page is read */
	int			index;			/* its index on the page */
};

/* Begin to read a chain; palloc'd in the current context.  Sends nothing yet. */
DncReader *
dnc_reader_begin(const DncReading *reading)
{
	DncReader  *reader = palloc0(sizeof(DncReader));

	reader->reading = *reading;
	return reader;
}

/* Go to the next page, or to the end. */
static void
read_page(DncReader *reader)
{
	if (!dnc_pager_next(reader->reading.pager, &reader->page))
	{
		reader->at_end = true;
		return;
	}
	dnc_decoder_page(reader->reading.decoder, reader->page.entries);
	reader->entry = reader->page.first;
	reader->index = 0;
}

/* Go to the next entry of the page. */
static void
step_entry(DncReader *reader)
{
	reader->entry = dnc_json_next(reader->entry);
	reader->index++;
}

/* Does an entry belong to the chain at hand, rather than to another one? */
static bool
belongs_to_chain(const DncChain *chain, const DncJson *entry)
{
	ListCell   *lc;

	foreach(lc, chain->checks)
	{
		const DncChainCheck *check = lfirst(lc);
		const DncJson *value = dnc_json_get(entry, check->member);

		if (value && dnc_json_kind(value) == DNC_JSON_STRING &&
			strcmp(dnc_json_string(value), check->value) != 0)
			return false;
	}
	return true;
}

/* Is the entry at hand to be left out? */
static bool
is_left_out(const DncReader *reader)
{
	const DncReading *reading = &reader->reading;

	if (reader->page.given && reader->page.given[reader->index])
		return true;
	if (reading->own &&
		(dnc_overlay_hides(reading->own, reader->entry) ||
		 !dnc_overlay_is_of_type(reading->own, reader->entry, reading->counted_type)))
		return true;
	return !belongs_to_chain(reading->chain, reader->entry);
}

/* Tell the overlay of the entry at hand, which was not given before. */
static void
note_listed(const DncReader *reader)
{
	const DncReading *reading = &reader->reading;

	if (reading->own && !(reader->page.given && reader->page.given[reader->index]))
		dnc_overlay_note_listed(reading->own, reader->entry);
}

/* Has the next page been asked for, and not come yet? */
static bool
must_wait(DncReader *reader)
{
	DncCall    *call = dnc_pager_ask(reader->reading.pager);

	return call && !dnc_call_ready(call);
}

/* Go to the next entry that is to be given; false: there is none, or it is still to come. */
static bool
find_entry(DncReader *reader, bool may_wait)
{
	while (!reader->at_end)
	{
		if (reader->entry == NULL)
		{
			if (!may_wait && must_wait(reader))
				return false;
			read_page(reader);
		}
		else
		{
			note_listed(reader);
			if (!is_left_out(reader))
				return true;
			step_entry(reader);
		}
	}
	return false;
}

/*
 * The next entry into an empty slot, datums in the current context.  False: all were
 * read, or the next page is still to come and must not be waited for.  Raises
 * what reading pages and decoding entries does.
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
	found = find_entry(reader, may_wait);
	if (found)
	{
		dnc_decoder_entry(reader->reading.decoder, reader->entry, reader->index,
						  slot->tts_values, slot->tts_isnull);
		ExecStoreVirtualTuple(slot);
		step_entry(reader);
	}
	error_context_stack = context.previous;
	return found;
}

/*
 * What the next entry has to wait for: the call for the next page, which this sends
 * if need be; NULL: nothing.
 */
DncCall *
dnc_reader_ask(DncReader *reader)
{
	return reader->at_end || reader->entry ? NULL : dnc_pager_ask(reader->reading.pager);
}

/* Was all of the chain read? */
bool
dnc_reader_at_end(const DncReader *reader)
{
	return reader->at_end;
}
