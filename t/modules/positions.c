/*-------------------------------------------------------------------------
 *
 * positions.c
 *		SQL functions over the pager's positions, for t/038_list_positions.pl.
 *
 * Linked with the extension's objects into a library of its own.  A session has either
 * that or the extension, not both.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

#include "config/credential.h"
#include "list/entries.h"

/* Columns of the SQL type "position", in the order of DncPosition. */
typedef enum PositionColumn
{
	GENERATION,
	PAGES,
	PAGE_SIZE,
	CURSOR,
	PLACE,
	TOTAL,
	MOVED,
	GIVEN,
	IDS,
	AT_END,
	NCOLUMNS
} PositionColumn;

PG_FUNCTION_INFO_V1(read_pages);

/* A list of texts as text[]. */
static Datum
text_array(List *texts)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(list_length(texts), 1));
	ListCell   *lc;
	int			count = 0;

	foreach(lc, texts)
		elements[count++] = CStringGetTextDatum((char *) lfirst(lc));
	return PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* A text, or NULL. */
static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text ? CStringGetTextDatum(text) : (Datum) 0;
}

/* A position as a row of its SQL type. */
static Datum
position_row(const DncPosition *position, TupleDesc desc)
{
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS] = {0};

	values[GENERATION] = text_or_null(position->generation, &nulls[GENERATION]);
	values[PAGES] = Int32GetDatum(position->pages);
	values[PAGE_SIZE] = Int32GetDatum(position->page_size);
	values[CURSOR] = text_or_null(position->cursor, &nulls[CURSOR]);
	values[PLACE] = Int64GetDatum(position->place);
	values[TOTAL] = Int64GetDatum(position->total);
	values[MOVED] = BoolGetDatum(position->moved);
	values[GIVEN] = Int64GetDatum(position->given);
	values[IDS] = text_array(position->ids);
	values[AT_END] = BoolGetDatum(position->at_end);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/* A row of the SQL type as a position. */
static void
read_position(HeapTupleHeader row, TupleDesc desc, DncPosition *position)
{
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(row), .t_data = row};
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS];
	Datum	   *ids;
	int			count;

	heap_deform_tuple(&tuple, desc, values, nulls);
	memset(position, 0, sizeof(*position));
	if (!nulls[GENERATION])
		position->generation = TextDatumGetCString(values[GENERATION]);
	position->pages = DatumGetInt32(values[PAGES]);
	position->page_size = DatumGetInt32(values[PAGE_SIZE]);
	if (!nulls[CURSOR])
		position->cursor = TextDatumGetCString(values[CURSOR]);
	position->place = DatumGetInt64(values[PLACE]);
	position->total = DatumGetInt64(values[TOTAL]);
	position->moved = DatumGetBool(values[MOVED]);
	position->given = DatumGetInt64(values[GIVEN]);
	position->at_end = DatumGetBool(values[AT_END]);
	deconstruct_array(DatumGetArrayTypeP(values[IDS]), TEXTOID, -1, false, TYPALIGN_INT, &ids,
					  NULL, &count);
	for (int i = 0; i < count; i++)
		position->ids = lappend(position->ids, TextDatumGetCString(ids[i]));
}

/* The ids of the entries of a page that were not given before, behind those of others. */
static List *
take_page(const DncOptions *options, const DncPage *page, List *ids)
{
	DncEntries	entries = {0};

	dnc_entries_begin_page(&entries, page);
	while (dnc_entries_next(&entries))
		ids = lappend(ids, pstrdup(dnc_page_id(options, entries.entry)));
	return ids;
}

/*
 * read_pages(table regclass, start position, count int): begins at a position (NULL: with
 * the first page), and reads up to so many pages behind it.  Gives the position behind
 * them, the ids of their entries, and the reason where the position could not be taken up,
 * so that it has begun with the first page.
 */
Datum
read_pages(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	const DncOptions *options =
		dnc_credential_options(dnc_options_load(GetForeignServerIdByRelId(relid), relid), GetUserId());
	DncCounters *counters = palloc0(sizeof(DncCounters));
	TupleDesc	position_desc = lookup_rowtype_tupdesc(get_fn_expr_argtype(fcinfo->flinfo, 1), -1);
	int			count = PG_GETARG_INT32(2);
	List	   *ids = NIL;
	const char *problem = NULL;
	DncPosition position;
	DncPager   *pager;
	DncPage		page;
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "read_pages() must return a row");
	dnc_counters_begin(counters, options, dnc_max_requests_of_statement(options));
	pager = dnc_pager_begin(options, NIL, counters);
	dnc_pager_set_limit(pager, (double) count * options->page_size);
	if (!PG_ARGISNULL(1))
	{
		read_position(PG_GETARG_HEAPTUPLEHEADER(1), position_desc, &position);
		dnc_pager_set_limit(pager, (double) position.given + (double) count * options->page_size);
		problem = dnc_pager_resume(pager, &position, &page);
		ids = take_page(options, &page, ids);
	}
	for (int i = 0; i < count && dnc_pager_next(pager, &page); i++)
		ids = take_page(options, &page, ids);
	dnc_pager_position(pager, &position);
	values[0] = position_row(&position, BlessTupleDesc(position_desc));
	values[1] = text_array(ids);
	values[2] = text_or_null(problem, &nulls[2]);
	ReleaseTupleDesc(position_desc);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
