/*-------------------------------------------------------------------------
 *
 * sample.c
 *		A sample of the entries of a list, and the list's size.
 *
 * We read the list to its end, and keep a reservoir of its entries.  If pages are
 * numbered, we know the total: from a long list, we only read some pages drawn at
 * random.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "common/pg_prng.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/sampling.h"

#include "list/decode.h"
#include "list/entries.h"
#include "plan/bound.h"
#include "scan/sample.h"

/* If a list has more pages than this, we read a sample of this many pages. */
#define MAX_PAGES 300

/* A sample while it is drawn. */
typedef struct Draw
{
	const DncOptions *options;
	DncSample  *sample;
	MemoryContext context;		/* the sample's */
	DncDecoder *decoder;
	MemoryContext row_context;	/* reset with each entry */
	Datum	   *values;
	bool	   *nulls;
	int			target;			/* rows to keep */
	int			kept;
	DncBound   *bound;			/* NULL: all entries are within, or the table is no partition */
	TupleTableSlot *slot;		/* for the bound */
	double		read;			/* entries read so far */
	double		seen;			/* of these, entries that a scan would show */
	double		skip;			/* entries to skip before we keep the next one; -1: draw a number */
	ReservoirStateData reservoir;
} Draw;

/* The expected number of entries of a list, before we read it. */
double
dnc_sample_expected_entries(Relation relation, const DncOptions *options)
{
	return relation->rd_rel->reltuples >= 0 ? relation->rd_rel->reltuples
		: options->estimated_rows;
}

/* Begin to draw; palloc'd in the current context, but the sample's parts in the given context. */
static Draw *
begin_draw(const DncOptions *options, Relation relation, int target, MemoryContext context,
		   DncSample *sample)
{
	Draw	   *draw = palloc0(sizeof(Draw));
	MemoryContext before = MemoryContextSwitchTo(context);
	Bitmapset  *all = NULL;
	DncColumnMap *map;

	sample->desc = CreateTupleDescCopyConstr(RelationGetDescr(relation));
	sample->rows = MemoryContextAllocHuge(context, sizeof(HeapTuple) * target);
	memset(sample->rows, 0, sizeof(HeapTuple) * target);
	MemoryContextSwitchTo(before);
	draw->options = options;
	draw->sample = sample;
	draw->context = context;
	for (int i = 0; i < sample->desc->natts; i++)
		all = bms_add_member(all, i + 1);
	map = dnc_column_map(RelationGetRelid(relation), RelationGetRelationName(relation),
						 sample->desc);
	draw->decoder = dnc_decoder_make(options, sample->desc, map, all, NULL);
	dnc_decoder_for_statistics(draw->decoder);
	draw->bound = dnc_bound_begin(relation, options, map, CreateExecutorState());
	draw->slot = MakeSingleTupleTableSlot(sample->desc, &TTSOpsVirtual);
	draw->row_context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw sampled row",
											  ALLOCSET_DEFAULT_SIZES);
	draw->values = palloc(sizeof(Datum) * Max(sample->desc->natts, 1));
	draw->nulls = palloc(sizeof(bool) * Max(sample->desc->natts, 1));
	draw->target = target;
	draw->skip = -1;
	reservoir_init_selection_state(&draw->reservoir, target);
	return draw;
}

/*
 * Choose the place of the next entry in the sample; -1: nowhere.  The first entries fill the
 * sample.  Each later entry takes a random place with the probability that keeps the sample
 * fair (Vitter's algorithm, as in PostgreSQL's own ANALYZE).
 */
static int
choose_place(Draw *draw)
{
	if (draw->kept < draw->target)
		return draw->kept++;
	if (draw->skip < 0)
		draw->skip = reservoir_get_next_S(&draw->reservoir, draw->seen, draw->target);
	if (draw->skip-- > 0)
		return -1;
	return (int) (draw->target * sampler_random_fract(&draw->reservoir.randstate));
}

/* Decode the current entry. */
static void
decode(Draw *draw, DncEntries *entries)
{
	MemoryContext before;

	MemoryContextReset(draw->row_context);
	before = MemoryContextSwitchTo(draw->row_context);
	dnc_decoder_entry(draw->decoder, entries, draw->values, draw->nulls);
	MemoryContextSwitchTo(before);
}

/* Does a scan leave out the current entry?  It has been decoded. */
static bool
is_left_out(Draw *draw, DncEntries *entries)
{
	TupleTableSlot *slot = ExecClearTuple(draw->slot);
	bool		hidden;

	memcpy(slot->tts_values, draw->values, sizeof(Datum) * draw->sample->desc->natts);
	memcpy(slot->tts_isnull, draw->nulls, sizeof(bool) * draw->sample->desc->natts);
	ExecStoreVirtualTuple(slot);
	hidden = dnc_bound_hides(draw->bound, slot,
							 dnc_decode_text(draw->options->provider, entries->entry,
											 DNC_COL_IDENTIFIER_TYPE));
	ExecClearTuple(slot);
	return hidden;
}

/* Take the current entry into the sample, or skip it. */
static void
take_entry(Draw *draw, DncEntries *entries)
{
	HeapTuple  *rows = draw->sample->rows;
	MemoryContext before;
	int			place;

	draw->read++;
	if (draw->bound)
	{
		decode(draw, entries);
		if (is_left_out(draw, entries))
			return;
	}
	place = choose_place(draw);
	draw->seen++;
	if (place < 0)
		return;
	if (draw->bound == NULL)
		decode(draw, entries);
	if (rows[place])
		heap_freetuple(rows[place]);
	before = MemoryContextSwitchTo(draw->context);
	rows[place] = heap_form_tuple(draw->sample->desc, draw->values, draw->nulls);
	MemoryContextSwitchTo(before);
}

/* Take the entries of a page. */
static void
take_page(Draw *draw, DncEntries *entries)
{
	while (dnc_entries_next(entries))
		take_entry(draw, entries);
	CHECK_FOR_INTERRUPTS();
}

/* Take pages drawn at random, each once, from those after the first. */
static void
sample_pages(Draw *draw, DncEntries *entries)
{
	DncPager   *pager = entries->pager;
	int64		others = Min(dnc_pager_pages(pager) - 1, (int64) MaxBlockNumber);
	BlockSamplerData sampler;
	DncPage		page;

	BlockSampler_Init(&sampler, (BlockNumber) others, MAX_PAGES - 1,
					  pg_prng_uint32(&pg_global_prng_state));
	while (BlockSampler_HasMore(&sampler))
	{
		if (dnc_pager_jump(pager, 2 + (int64) BlockSampler_Next(&sampler), &page))
		{
			dnc_entries_begin_page(entries, &page);
			take_page(draw, entries);
		}
	}
}

/*
 * Draw a sample of up to target rows of a list, all in the given context, and find the number
 * of its entries.  The options have a token.  Raises the errors of reading a list.
 */
void
dnc_sample_draw(Relation relation, const DncOptions *options, int target, MemoryContext context,
				DncSample *sample)
{
	Draw	   *draw = begin_draw(options, relation, target, context, sample);
	DncCounters *counters = palloc0(sizeof(DncCounters));
	DncPager   *pager;
	DncEntries	entries = {0};

	dnc_counters_begin(counters, options, dnc_max_requests_of_statement(options));
	counters->progress = dnc_progress_begin("analyze", options, RelationGetRelid(relation),
											dnc_sample_expected_entries(relation, options));
	pager = dnc_pager_begin(options, NIL, counters);
	entries.pager = pager;
	while (dnc_entries_next_page(&entries))
	{
		take_page(draw, &entries);
		if (dnc_pager_count(pager) == 1 && dnc_pager_pages(pager) > MAX_PAGES)
			break;
	}
	sample->total = draw->seen;
	if (dnc_pager_pages(pager) > MAX_PAGES)
	{
		sample_pages(draw, &entries);
		sample->total = (double) dnc_pager_total(pager) * (draw->seen / Max(draw->read, 1));
	}
	sample->count = draw->kept;
	sample->read = draw->read;
	sample->requests = counters->counts[DNC_COUNT_REQUESTS];
}
