/*-------------------------------------------------------------------------
 *
 * own_rows.c
 *		The entries that the transaction itself has added, as rows of a scan.
 *
 * They come after the rows of the list, because only then do we know which of them the
 * remote already has.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "list/decode.h"
#include "list/filter.h"
#include "scan/own_rows.h"

struct DncOwnRows
{
	MemoryContext context;
	DncOwnReading reading;
	int			index;			/* of the chain whose additions we give now */
	DncChain   *chain;			/* NULL: we have yet to make the chain and the decoder */
	DncDecoder *decoder;
};

/* Begin with the first addition; palloc'd in the current context. */
DncOwnRows *
dnc_own_rows_begin(const DncOwnReading *reading)
{
	DncOwnRows *rows = palloc0(sizeof(DncOwnRows));

	rows->context = CurrentMemoryContext;
	rows->reading = *reading;
	return rows;
}

/* Begin with the additions that a chain finds. */
static void
begin_chain(DncOwnRows *rows)
{
	const DncOwnReading *reading = &rows->reading;
	MemoryContext before = MemoryContextSwitchTo(rows->context);

	rows->chain = dnc_filter_chain(reading->chains, rows->index);
	rows->decoder = dnc_decoder_make(reading->options, reading->desc, reading->map,
									 reading->needed, rows->chain->search);
	MemoryContextSwitchTo(before);
	dnc_overlay_rewind(reading->own);
}

/* The type of an addition, UTF-8: its own type, or the type that all entries have. */
static const char *
type_of(const DncOwnRows *rows, const DncWrite *addition)
{
	const DncField *field = dnc_provider_field(rows->reading.options->provider,
											   DNC_COL_IDENTIFIER_TYPE);
	const char *type = dnc_write_value(addition, DNC_COL_IDENTIFIER_TYPE);

	return type || field == NULL ? type : field->constant;
}

/*
 * Put the next addition into an empty slot, with datums in the current context; false: there
 * are no more.  If chains are searches, each gives the additions that its search would find.
 * Other chains divide the list among themselves, so the first one gives all additions.
 */
bool
dnc_own_rows_next(DncOwnRows *rows, TupleTableSlot *slot)
{
	const DncOwnReading *reading = &rows->reading;

	while (!dnc_own_rows_at_end(rows))
	{
		const char *texts[DNC_NCOLUMNS];
		const DncWrite *addition;

		if (rows->chain == NULL)
			begin_chain(rows);
		addition = dnc_overlay_next(reading->own, rows->chain->search, reading->identifier, reading->type);
		if (addition)
		{
			dnc_write_texts(addition, texts);
			dnc_decoder_texts(rows->decoder, texts, slot->tts_values, slot->tts_isnull);
			ExecStoreVirtualTuple(slot);
			if (reading->bound && dnc_bound_hides(reading->bound, slot, type_of(rows, addition)))
			{
				ExecClearTuple(slot);
				continue;
			}
			if (reading->identity)
				dnc_row_identity_add_write(reading->identity, addition, &slot->tts_tid);
			return true;
		}
		rows->index = rows->chain->search ? rows->index + 1 : reading->chains->count;
		rows->chain = NULL;
	}
	return false;
}

/* Were all additions given? */
bool
dnc_own_rows_at_end(const DncOwnRows *rows)
{
	return rows->index >= rows->reading.chains->count;
}
