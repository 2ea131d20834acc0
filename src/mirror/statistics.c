/*-------------------------------------------------------------------------
 *
 * statistics.c
 *		ANALYZE of a list that has a mirror.
 *
 * The mirror has the whole list, so we need no request.  We take its entries as the last pass has
 * left them, whatever their age: statistics need not be fresh.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "mirror/columns.h"
#include "mirror/mirror.h"
#include "mirror/statistics.h"

/* The entries that the list has, as far as the mirror knows. */
#define ENTRIES " FROM {mirror} m WHERE m.gone_at IS NULL"

/*
 * The OID of the mirror of a list.  InvalidOid: there is no mirror, or it had no complete pass, or
 * we cannot look without an active snapshot.
 */
static Oid
find_mirror(Oid list)
{
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	Oid			mirror = InvalidOid;

	if (!dnc_queue_exists() || !ActiveSnapshotSet())
		return InvalidOid;
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(list));
	dnc_queue_open(&query, "SELECT l.mirror::oid FROM %1$s.dnc_fdw_mirror_lists l "
				   "WHERE l.source = $1 AND l.complete_as_of IS NOT NULL", &arguments, true);
	if (query.count > 0)
		mirror = DatumGetObjectId(dnc_queue_datum(&query, 0, 1));
	dnc_queue_close(&query);
	return mirror;
}

/*
 * Describe a list's mirror as far as our queries need: owner, name, and the columns of the list in
 * their order.  False: there is no mirror, or it lacks a column that the list has.
 */
static bool
describe(Relation list, DncMirror *mirror)
{
	Oid			relid = find_mirror(RelationGetRelid(list));
	Relation	table = OidIsValid(relid) ? try_table_open(relid, AccessShareLock) : NULL;

	memset(mirror, 0, sizeof(*mirror));
	if (table == NULL)
		return false;
	mirror->owner = table->rd_rel->relowner;
	mirror->mirror_name = dnc_mirror_name_of(relid);
	mirror->columns = dnc_columns_for_list(list, RelationGetDescr(table));
	table_close(table, NoLock);
	return mirror->columns != NULL;
}

static double
count_entries(const DncMirror *mirror)
{
	return (double) dnc_mirror_count(mirror, "SELECT count(*)" ENTRIES, NULL);
}

/*
 * Can ANALYZE take the entries of a list from its mirror?  If so, *pages becomes the number of the
 * list's pages, at page_size entries each.
 */
bool
dnc_statistics_prepare(Relation list, BlockNumber *pages)
{
	Oid			relid = RelationGetRelid(list);
	const DncOptions *options = dnc_options_load(GetForeignServerIdByRelId(relid), relid);
	DncMirror	mirror;

	if (!options->analyze || !describe(list, &mirror))
		return false;
	*pages = (BlockNumber) Max(Min(count_entries(&mirror) / options->page_size, MaxBlockNumber), 1);
	return true;
}

/*
 * AcquireSampleRowsFunc: fill rows with a random sample of up to target entries of the mirror,
 * palloc'd.  *total becomes the number of its entries, and *dead becomes 0.  Returns how many rows
 * there are.
 */
int
dnc_statistics_sample(Relation list, int elevel, HeapTuple *rows, int target, double *total,
					  double *dead)
{
	TupleDesc	desc = RelationGetDescr(list);
	MemoryContext context = CurrentMemoryContext;
	Datum	   *values = palloc(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * desc->natts);
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	DncMirror	mirror;
	int			given;

	if (!describe(list, &mirror))
		elog(ERROR, "the mirror of foreign table \"%s\" is gone", RelationGetRelationName(list));
	*total = count_entries(&mirror);
	*dead = 0;
	dnc_queue_argument(&arguments, INT4OID, Int32GetDatum(target));
	dnc_mirror_open(&query, &mirror, "SELECT {columns}" ENTRIES " ORDER BY random() LIMIT $1", &arguments);
	MemoryContextSwitchTo(context);
	given = (int) query.count;
	for (int row = 0; row < given; row++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < desc->natts; i++)
			values[i] = SPI_getbinval(query.rows->vals[row], query.rows->tupdesc, i + 1, &nulls[i]);
		rows[row] = heap_form_tuple(desc, values, nulls);
	}
	dnc_queue_close(&query);
	ereport(elevel,
			(errmsg("\"%s\": %.0f entries in its mirror, %d rows in sample",
					RelationGetRelationName(list), *total, given)));
	return given;
}
