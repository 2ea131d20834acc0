/*-------------------------------------------------------------------------
 *
 * analyze.c
 *		ANALYZE of a list: a sample of its entries, and its size.
 *
 * We read the list to its end, and keep a reservoir of its entries.  Where pages are
 * numbered, the total is known: for a long list, we read some pages drawn at random.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "common/pg_prng.h"
#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/sampling.h"

#include "config/credential.h"
#include "list/decode.h"
#include "list/entries.h"
#include "plan/bound.h"
#include "scan/analyze.h"

/* A list of more pages than this is sampled, and this many of them are read. */
#define MAX_PAGES 300

/* The sample that is being drawn. */
typedef struct Sample
{
	const DncOptions *options;
	TupleDesc	desc;
	DncDecoder *decoder;
	MemoryContext row_context;	/* reset with each entry */
	Datum	   *values;
	bool	   *nulls;
	HeapTuple  *rows;			/* of those that are kept */
	int			target;
	int			kept;
	DncBound   *bound;			/* NULL: all entries are within; it is no partition */
	TupleTableSlot *slot;		/* for the bound */
	double		read;			/* entries so far */
	double		seen;			/* those of them that a scan would show */
	double		skip;			/* entries to pass over before the next is kept; -1: draw */
	ReservoirStateData reservoir;
} Sample;

/* The entries that a list has as far as we know before we read it. */
static double
expected_entries(Relation relation, const DncOptions *options)
{
	return relation->rd_rel->reltuples >= 0 ? relation->rd_rel->reltuples
		: options->estimated_rows;
}

/* The size to record for a table before it has been sampled, in list pages. */
BlockNumber
dnc_analyze_pages(Relation relation)
{
	Oid			relid = RelationGetRelid(relation);
	const DncOptions *options = dnc_options_load(GetForeignServerIdByRelId(relid), relid);
	double		entries = expected_entries(relation, options);

	return (BlockNumber) Max(Min(entries / options->page_size, MaxBlockNumber), 1);
}

/* Begin a sample; palloc'd in the current context. */
static Sample *
begin_sample(const DncOptions *options, Relation relation, HeapTuple *rows, int target)
{
	Sample	   *sample = palloc0(sizeof(Sample));
	Bitmapset  *all = NULL;
	DncColumnMap *map;

	sample->options = options;
	sample->desc = CreateTupleDescCopy(RelationGetDescr(relation));
	for (int i = 0; i < sample->desc->natts; i++)
		all = bms_add_member(all, i + 1);
	map = dnc_column_map(RelationGetRelid(relation), RelationGetRelationName(relation),
						 sample->desc);
	sample->decoder = dnc_decoder_make(options, sample->desc, map, all, NULL);
	sample->bound = dnc_bound_begin(relation, options, map, CreateExecutorState());
	sample->slot = MakeSingleTupleTableSlot(sample->desc, &TTSOpsVirtual);
	sample->row_context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw sampled row",
												ALLOCSET_DEFAULT_SIZES);
	sample->values = palloc(sizeof(Datum) * Max(sample->desc->natts, 1));
	sample->nulls = palloc(sizeof(bool) * Max(sample->desc->natts, 1));
	sample->rows = rows;
	sample->target = target;
	sample->skip = -1;
	reservoir_init_selection_state(&sample->reservoir, target);
	return sample;
}

/*
 * Choose where the next entry goes in the sample: the first ones fill it, and of the
 * others each takes a random place with the probability that keeps the sample fair
 * (Vitter's algorithm, as in PostgreSQL's own ANALYZE).  -1: nowhere.
 */
static int
choose_place(Sample *sample)
{
	if (sample->kept < sample->target)
		return sample->kept++;
	if (sample->skip < 0)
		sample->skip = reservoir_get_next_S(&sample->reservoir, sample->seen, sample->target);
	if (sample->skip-- > 0)
		return -1;
	return (int) (sample->target * sampler_random_fract(&sample->reservoir.randstate));
}

/* Decode the entry at hand. */
static void
decode(Sample *sample, DncEntries *entries)
{
	MemoryContext before;

	MemoryContextReset(sample->row_context);
	before = MemoryContextSwitchTo(sample->row_context);
	dnc_decoder_entry(sample->decoder, entries, sample->values, sample->nulls);
	MemoryContextSwitchTo(before);
}

/* Does a scan leave out the entry at hand, which was decoded? */
static bool
is_left_out(Sample *sample, DncEntries *entries)
{
	TupleTableSlot *slot = ExecClearTuple(sample->slot);
	bool		hidden;

	memcpy(slot->tts_values, sample->values, sizeof(Datum) * sample->desc->natts);
	memcpy(slot->tts_isnull, sample->nulls, sizeof(bool) * sample->desc->natts);
	ExecStoreVirtualTuple(slot);
	hidden = dnc_bound_hides(sample->bound, slot,
							 dnc_decode_text(sample->options->provider, entries->entry,
											 DNC_COL_IDENTIFIER_TYPE));
	ExecClearTuple(slot);
	return hidden;
}

/* Take the entry at hand into the sample, or pass it over. */
static void
take_entry(Sample *sample, DncEntries *entries)
{
	int			place;

	sample->read++;
	if (sample->bound)
	{
		decode(sample, entries);
		if (is_left_out(sample, entries))
			return;
	}
	place = choose_place(sample);
	sample->seen++;
	if (place < 0)
		return;
	if (sample->bound == NULL)
		decode(sample, entries);
	if (sample->rows[place])
		heap_freetuple(sample->rows[place]);
	sample->rows[place] = heap_form_tuple(sample->desc, sample->values, sample->nulls);
}

/* Take the entries of a page. */
static void
take_page(Sample *sample, DncEntries *entries)
{
	while (dnc_entries_next(entries))
		take_entry(sample, entries);
	CHECK_FOR_INTERRUPTS();
}

/* Take pages drawn at random, each once, of those behind the first. */
static void
sample_pages(Sample *sample, DncEntries *entries)
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
			take_page(sample, entries);
		}
	}
}

/*
 * AcquireSampleRowsFunc: up to target rows of the list, and how many entries it
 * has.  Asks with the token of the table's owner, as ANALYZE runs.
 */
int
dnc_analyze_sample(Relation relation, int elevel, HeapTuple *rows, int target, double *total,
				   double *dead)
{
	Oid			relid = RelationGetRelid(relation);
	const DncOptions *options =
		dnc_credential_options(dnc_options_load(GetForeignServerIdByRelId(relid), relid),
							   relation->rd_rel->relowner);
	Sample	   *sample = begin_sample(options, relation, rows, target);
	DncCounters *counters = palloc0(sizeof(DncCounters));
	DncPager   *pager;
	DncEntries	entries = {0};

	dnc_counters_begin(counters, options, dnc_max_requests_of_statement(options));
	counters->progress = dnc_progress_begin("analyze", options, relid,
											expected_entries(relation, options));
	memset(rows, 0, sizeof(HeapTuple) * target);
	pager = dnc_pager_begin(options, NIL, counters);
	entries.pager = pager;
	while (dnc_entries_next_page(&entries))
	{
		take_page(sample, &entries);
		if (dnc_pager_count(pager) == 1 && dnc_pager_pages(pager) > MAX_PAGES)
			break;
	}
	*total = sample->seen;
	*dead = 0;
	if (dnc_pager_pages(pager) > MAX_PAGES)
	{
		sample_pages(sample, &entries);
		*total = (double) dnc_pager_total(pager) * (sample->seen / Max(sample->read, 1));
	}
	ereport(elevel,
			(errmsg("\"%s\": %lld requests, %.0f entries read of %.0f, %d rows in sample",
					RelationGetRelationName(relation), (long long) counters->counts[DNC_COUNT_REQUESTS],
					sample->read, *total, sample->kept)));
	return sample->kept;
}
