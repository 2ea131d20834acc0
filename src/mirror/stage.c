/*-------------------------------------------------------------------------
 *
 * stage.c
 *		The staging table of a mirror: the entries that a pass has read.
 *
 * A row is an entry as the foreign table would show it, with its key, its identity, and the time
 * when we had received its page.  We insert through the table's access method, as COPY does, so
 * no trigger or other code of the table's owner runs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "list/decode.h"
#include "list/fast_input.h"
#include "match/key.h"
#include "match/server_text.h"
#include "match/text.h"
#include "mirror/columns.h"
#include "mirror/kept_keys.h"
#include "mirror/stage.h"

/* If a part of an identity is longer than this, in bytes, the identity has its hash instead. */
#define LONGEST_PART 512

/* A pass that goes on finds its place by this many entries, and those of the last page. */
#define RECENT_IDS 2000

/* We insert this many entries at once. */
#define STAGE_ROWS 100

struct DncStage
{
	const DncMirror *mirror;
	DncDecoder *decoder;
	DncKeptKeys *kept;
	MemoryContext context;		/* reset with each STAGE_ROWS entries */
	Datum	   *values;			/* of the foreign table's columns */
	bool	   *nulls;
};

/*
 * The ids of the last RECENT_IDS entries that a pass has stored, in their order: a list of char *,
 * UTF-8, palloc'd.  Needs an active snapshot.
 */
List *
dnc_stage_recent_ids(const DncPass *pass)
{
	MemoryContext context = CurrentMemoryContext;
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	List	   *ids = NIL;

	dnc_queue_argument(&arguments, INT4OID, Int32GetDatum(pass->turn));
	dnc_queue_argument(&arguments, INT4OID, Int32GetDatum(RECENT_IDS));
	dnc_mirror_open(&query, pass->mirror,
					"SELECT split_part(s.identity, chr(10), 1) FROM (SELECT identity, read_at, ctid FROM {staging} "
					"WHERE turn = $1 ORDER BY read_at DESC, ctid DESC LIMIT $2) s ORDER BY s.read_at, s.ctid", &arguments);
	for (uint64 i = 0; i < query.count; i++)
	{
		char	   *id = dnc_queue_value(&query, i, 1);
		MemoryContext before = MemoryContextSwitchTo(context);

		ids = lappend(ids, pstrdup(pg_server_to_any(id, strlen(id), PG_UTF8)));
		MemoryContextSwitchTo(before);
	}
	dnc_queue_close(&query);
	return ids;
}

/* Prepare to stage entries.  The result is palloc'd in the current context. */
DncStage *
dnc_stage_begin(const DncMirror *mirror)
{
	DncStage   *stage = palloc0(sizeof(DncStage));
	Bitmapset  *needed = NULL;
	ListCell   *cell;

	foreach(cell, mirror->attributes)
		needed = bms_add_member(needed, lfirst_int(cell));
	stage->mirror = mirror;
	stage->decoder = dnc_decoder_make(mirror->options, mirror->desc, mirror->map, needed, NULL);
	stage->kept = dnc_kept_keys_begin(mirror);
	stage->context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw staged entries",
										   ALLOCSET_DEFAULT_SIZES);
	stage->values = palloc(sizeof(Datum) * mirror->desc->natts);
	stage->nulls = palloc(sizeof(bool) * mirror->desc->natts);
	return stage;
}

/* A part of an identity: the text itself, or its hash if it is too long; NULL becomes "". */
static const char *
part(const char *text)
{
	if (text == NULL)
		return "";
	return strlen(text) > LONGEST_PART ? dnc_text_join("sha256:", dnc_text_hash(text)) : text;
}

/*
 * The identity of the current entry, in the database's encoding: its id, type and identifier, in
 * lines.  An entry with the same id but another identifier is another entry, so we overwrite
 * nobody.  *whole becomes false if the database's encoding lacks one of the characters.
 */
static char *
identity_of(const DncOptions *options, const DncEntries *entries, bool *whole)
{
	return dnc_match_to_server(psprintf("%s\n%s\n%s", part(dnc_page_id(options, entries->entry)),
										part(dnc_decode_text(options->provider, entries->entry, DNC_COL_IDENTIFIER_TYPE)),
										part(dnc_decode_text(options->provider, entries->entry, DNC_COL_IDENTIFIER))),
							   whole);
}

/*
 * Look in the mirror for the keys of the entries that follow on the page, except where making a
 * key is faster.
 */
static void
load_kept_keys(DncStage *stage, const DncEntries *entries)
{
	const DncOptions *options = stage->mirror->options;
	DncEntries	ahead = *entries;
	Datum	   *identities = NULL;
	int			count = 0;
	int			space = 0;

	while (dnc_entries_next(&ahead))
	{
		bool		whole;

		if (!dnc_kept_keys_has_use(stage->kept, dnc_decode_text(options->provider, ahead.entry, DNC_COL_IDENTIFIER)))
			continue;
		if (count == space)
		{
			space = Max(2 * space, STAGE_ROWS);
			identities = identities ? repalloc(identities, sizeof(Datum) * space) : palloc(sizeof(Datum) * space);
		}
		identities[count++] = CStringGetTextDatum(identity_of(options, &ahead, &whole));
	}
	dnc_kept_keys_load(stage->kept, identities, count);
}

/* The key of the current entry, in the database's encoding: the mirror's, or a new one. */
static const char *
key_of(DncStage *stage, const DncEntries *entries, const char *identity, bool whole)
{
	const DncOptions *options = stage->mirror->options;
	const char *kept = whole ? dnc_kept_keys_find(stage->kept, identity) : NULL;

	if (kept)
		return kept;
	return dnc_match_to_server(dnc_match_entry_key(dnc_decode_text(options->provider, entries->entry, DNC_COL_IDENTIFIER),
												   dnc_decode_text(options->provider, entries->entry, DNC_COL_IDENTIFIER_TYPE),
												   options->default_country, options->provider->ignores_plus),
							   &whole);
}

/* An entry's created_at; 0: it has none that we can read. */
static TimestampTz
created_at(const DncMirror *mirror, const DncJson *entry)
{
	const char *text = dnc_decode_text(mirror->options->provider, entry, DNC_COL_CREATED_AT);
	Datum		value;

	if (text == NULL || !dnc_fast_input_find(TIMESTAMPTZOID, -1) (text, &value))
		return 0;
	return DatumGetTimestampTz(value);
}

/* Fill the slot with the row of the current entry. */
static void
fill_row(DncStage *stage, const DncPass *pass, DncEntries *entries, TimestampTz read_at,
		 TupleTableSlot *slot)
{
	const DncMirror *mirror = stage->mirror;
	bool		whole;
	char	   *identity = identity_of(mirror->options, entries, &whole);
	int			column = 0;
	ListCell   *cell;

	dnc_decoder_entry(stage->decoder, entries, stage->values, stage->nulls);
	ExecClearTuple(slot);
	foreach(cell, mirror->attributes)
	{
		slot->tts_values[column] = stage->values[lfirst_int(cell) - 1];
		slot->tts_isnull[column++] = stage->nulls[lfirst_int(cell) - 1];
	}
	slot->tts_values[column] = CStringGetTextDatum(key_of(stage, entries, identity, whole));
	slot->tts_values[column + 1] = CStringGetTextDatum(identity);
	slot->tts_values[column + 2] = TimestampTzGetDatum(read_at);
	slot->tts_values[column + 3] = Int32GetDatum(pass->turn);
	memset(slot->tts_isnull + column, 0, sizeof(bool) * DNC_STAGE_COLUMNS);
	ExecStoreVirtualTuple(slot);
}

/*
 * Store the entries that follow on the page in the staging table, and take their created_at into
 * *pass.  Returns how many there are.  The caller commits.  Their read_at is now, when we have
 * received the page.  So a removal that we requested before now cannot hide them.  Raises 55000 if
 * the staging table was changed.
 */
int64
dnc_stage_page(DncStage *stage, DncPass *pass, DncEntries *entries)
{
	Relation	relation = table_open(stage->mirror->staging, RowExclusiveLock);
	TupleTableSlot *slots[STAGE_ROWS];
	BulkInsertState bulk = GetBulkInsertState();
	TimestampTz read_at = GetCurrentTimestamp();
	int64		rows = 0;
	int			count = 0;
	bool		more;

	dnc_columns_require_staging(stage->mirror, relation);
	for (int i = 0; i < STAGE_ROWS; i++)
		slots[i] = table_slot_create(relation, NULL);
	load_kept_keys(stage, entries);
	do
	{
		MemoryContext before = MemoryContextSwitchTo(stage->context);

		more = dnc_entries_next(entries);
		if (more)
		{
			fill_row(stage, pass, entries, read_at, slots[count++]);
			dnc_pass_see(pass, created_at(stage->mirror, entries->entry));
			rows++;
		}
		if (count == STAGE_ROWS || (!more && count > 0))
		{
			table_multi_insert(relation, slots, count, GetCurrentCommandId(true), 0, bulk);
			count = 0;
			for (int i = 0; i < STAGE_ROWS; i++)
				ExecClearTuple(slots[i]);
			CHECK_FOR_INTERRUPTS();
		}
		MemoryContextSwitchTo(before);
		if (count == 0)
			MemoryContextReset(stage->context);
	} while (more);
	for (int i = 0; i < STAGE_ROWS; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	FreeBulkInsertState(bulk);
	table_close(relation, NoLock);
	return rows;
}
