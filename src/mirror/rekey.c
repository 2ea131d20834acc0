/*-------------------------------------------------------------------------
 *
 * rekey.c
 *		Keys of a mirror, made anew when the rules for keys have changed.
 *
 * A full pass brings new keys for all entries that it has seen.  The mirror also keeps entries
 * that are missing or gone.  Here we make their keys anew.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "match/key.h"
#include "match/server_text.h"
#include "match/version.h"
#include "mirror/rekey.h"
#include "mirror/statements.h"

/* We fetch this many rows at once. */
#define ROWS_AT_ONCE 1000

/* Are two texts equal, or both NULL? */
static bool
are_equal(const char *one, const char *other)
{
	return one && other ? strcmp(one, other) == 0 : one == other;
}

/*
 * Were the mirror's keys made by other rules, or for another default_country?  That also matters if
 * the server has another account now, and no pass is complete as yet.
 */
bool
dnc_rekey_is_due(const DncMirror *mirror)
{
	return mirror->key_version != NULL &&
		(!are_equal(mirror->key_version, dnc_match_key_version()) ||
		 !are_equal(mirror->country, mirror->options->default_country));
}

/* A text column of a row in UTF-8; NULL: it is NULL. */
static char *
utf8_of(HeapTuple row, TupleDesc desc, int column)
{
	char	   *value = SPI_getvalue(row, desc, column);

	return value ? pg_server_to_any(value, strlen(value), PG_UTF8) : NULL;
}

/* Make the key of one row anew: its columns are ctid, identifier and type. */
static void
rekey_row(const DncMirror *mirror, HeapTuple row, TupleDesc desc, SPIPlanPtr update)
{
	const DncOptions *options = mirror->options;
	char	   *key = dnc_match_entry_key(utf8_of(row, desc, 2), utf8_of(row, desc, 3),
										  options->default_country, options->provider->ignores_plus);
	bool		whole;
	bool		isnull;
	Datum		arguments[2];

	arguments[0] = SPI_getbinval(row, desc, 1, &isnull);
	arguments[1] = CStringGetTextDatum(dnc_match_to_server(key, &whole));
	if (SPI_execute_plan(update, arguments, NULL, false, 0) < 0)
		elog(ERROR, "a query of the mirror failed");
}

/* Make the keys of all rows anew whose entries the full pass in the staging table has not seen. */
static void
rekey_all(const DncMirror *mirror)
{
	Oid			types[] = {TIDOID, TEXTOID};
	SPIPlanPtr	update = SPI_prepare(dnc_mirror_sql(mirror, "UPDATE {mirror} SET match_key = $2 WHERE ctid = $1"),
									 2, types);
	Portal		cursor = SPI_cursor_open_with_args(NULL,
												   dnc_mirror_sql(mirror, "SELECT m.ctid, m.{identifier}::text, m.{type}::text FROM {mirror} m "
																  "WHERE NOT EXISTS (SELECT FROM " DNC_MIRROR_STAGED " s "
																  "WHERE s.identity = m.identity AND m.gone_at IS NULL)"),
												   0, NULL, NULL, NULL, false, CURSOR_OPT_NO_SCROLL);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw keys",
												  ALLOCSET_DEFAULT_SIZES);
	SPITupleTable *rows;
	uint64		count;

	do
	{
		SPI_cursor_fetch(cursor, true, ROWS_AT_ONCE);
		rows = SPI_tuptable;
		count = SPI_processed;
		for (uint64 i = 0; i < count; i++)
		{
			MemoryContext before = MemoryContextSwitchTo(context);

			rekey_row(mirror, rows->vals[i], rows->tupdesc, update);
			MemoryContextSwitchTo(before);
			MemoryContextReset(context);
		}
		SPI_freetuptable(rows);
		CHECK_FOR_INTERRUPTS();
	} while (count > 0);
	SPI_cursor_close(cursor);
	MemoryContextDelete(context);
}

/*
 * If the rules for keys have changed, make the keys anew of all rows of the mirror whose entries
 * the full pass in the staging table has not seen.
 */
void
dnc_rekey(const DncMirror *mirror)
{
	DncQueueQuery query;

	if (!dnc_rekey_is_due(mirror))
		return;
	dnc_mirror_become_owner(mirror, &query);
	rekey_all(mirror);
	dnc_queue_close(&query);
}
