/*-------------------------------------------------------------------------
 *
 * kept_keys.c
 *		Keys of entries that the mirror already has.
 *
 * Finding an entry in the mirror takes less time than making the key of its number with
 * libphonenumber.  An entry with the same id, type and identifier has the same key, as long as
 * keys are made by the same rules and for the same country.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "mirror/kept_keys.h"
#include "mirror/rekey.h"

/* The key of an entry of the mirror, in the database's encoding. */
typedef struct Kept
{
	const char *identity;
	const char *key;
} Kept;

struct DncKeptKeys
{
	const DncMirror *mirror;
	bool		any;			/* the mirror has keys, made by today's rules */
	SPIPlanPtr	plan;			/* kept by SPI; NULL: not made yet */
	MemoryContext context;		/* reset with each page */
	Kept	   *keys;			/* of the page's entries, sorted by identity */
	int			count;
};

/* Free the plan, as a callback of the context that *argument lives in. */
static void
free_plan(void *argument)
{
	DncKeptKeys *kept = argument;

	if (kept->plan)
		SPI_freeplan(kept->plan);
}

/* Prepare to look for keys.  The result is palloc'd, and its plan is freed with the context. */
DncKeptKeys *
dnc_kept_keys_begin(const DncMirror *mirror)
{
	DncKeptKeys *kept = palloc0(sizeof(DncKeptKeys));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	kept->mirror = mirror;
	kept->any = mirror->complete && !dnc_rekey_is_due(mirror);
	kept->context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw kept keys", ALLOCSET_DEFAULT_SIZES);
	callback->func = free_plan;
	callback->arg = kept;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	return kept;
}

/*
 * Is it worth looking for the key of an identifier, which may be NULL?  For an email address it is
 * not: making the key is faster.
 */
bool
dnc_kept_keys_has_use(const DncKeptKeys *kept, const char *identifier)
{
	return kept->any && identifier && strchr(identifier, '@') == NULL && strpbrk(identifier, "0123456789");
}

static int
compare_kept(const void *one, const void *other)
{
	return strcmp(((const Kept *) one)->identity, ((const Kept *) other)->identity);
}

/*
 * Find the keys of a page's entries.  identities are Datums of type text, in the database's
 * encoding.  The keys live until the next call.  Needs an active snapshot.
 */
void
dnc_kept_keys_load(DncKeptKeys *kept, const Datum *identities, int count)
{
	Oid			types[] = {TEXTARRAYOID};
	DncQueueQuery query;
	Datum		array;
	MemoryContext before;

	MemoryContextReset(kept->context);
	kept->count = 0;
	if (count == 0)
		return;
	before = MemoryContextSwitchTo(kept->context);
	array = PointerGetDatum(construct_array((Datum *) identities, count, TEXTOID, -1, false, TYPALIGN_INT));
	MemoryContextSwitchTo(before);
	dnc_mirror_become_owner(kept->mirror, &query);
	if (kept->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(dnc_mirror_sql(kept->mirror, "SELECT m.identity, m.match_key FROM {mirror} m "
													  "WHERE m.identity = ANY ($1) AND m.gone_at IS NULL"), 1, types);

		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		kept->plan = plan;
	}
	if (SPI_execute_plan(kept->plan, &array, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the mirror");
	before = MemoryContextSwitchTo(kept->context);
	kept->keys = palloc(sizeof(Kept) * (SPI_processed + 1));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;

		kept->keys[kept->count].identity = TextDatumGetCString(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull));
		kept->keys[kept->count++].key = TextDatumGetCString(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull));
	}
	MemoryContextSwitchTo(before);
	dnc_queue_close(&query);
	qsort(kept->keys, kept->count, sizeof(Kept), compare_kept);
}

/* The key of an entry, in the database's encoding; NULL: dnc_kept_keys_load() has not found it. */
const char *
dnc_kept_keys_find(const DncKeptKeys *kept, const char *identity)
{
	Kept		wanted = {.identity = identity};
	const Kept *found;

	if (kept->count == 0)
		return NULL;
	found = bsearch(&wanted, kept->keys, kept->count, sizeof(Kept), compare_kept);
	return found ? found->key : NULL;
}
