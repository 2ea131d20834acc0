/*-------------------------------------------------------------------------
 *
 * delta.c
 *		Reads what is new on a list, for its mirror.
 *
 * A delta only adds.  It reads from the end where new entries stand until it has seen a
 * page of entries that the mirror knows, all older than the newest one of the last full
 * pass less ten minutes: entries may come in a little late.  Both times are the vendor's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "list/paging.h"
#include "mirror/delta.h"
#include "mirror/merge.h"
#include "mirror/own.h"
#include "mirror/rekey.h"

/* How late an entry may come in. */
#define LATENESS ((int64) 10 * 60 * USECS_PER_SEC)

/* A delta that runs. */
typedef struct Delta
{
	const DncMirror *mirror;
	DncPass    *pass;
	DncStage   *stage;
	DncEntries	entries;
	DncCounters *counters;
	bool	   *asking;			/* an error is the remote's */
	MemoryContext step_context; /* reset with each page */
	void		(*commit) (void);
	bool		from_end;		/* the newest entries are on the last page */
	int64		first;			/* from_end: the page that was read first */
	int64		first_total;	/* and how many entries the list had then */
	bool		first_is_old;	/* all of it was known and old */
	int64		number;			/* from_end: the page to read next; -1: the first one */
	int64		unknown;		/* entries so far that the mirror does not know */
	bool		broken;			/* the order of the list is not what it was */
	bool		seen_all;		/* a page of known, old entries was reached */
	bool		spent;			/* the budget is */
} Delta;

/* Raise 55000 where a delta would not find all that is new. */
static void
require_order(const DncMirror *mirror)
{
	const char *problem = NULL;

	if (!mirror->complete)
		problem = "There was no full pass yet.";
	else if (dnc_rekey_is_due(mirror))
		problem = "The version of the keys, or default_country, has changed since the last full pass.";
	else if (mirror->read_with == NULL || strcmp(mirror->read_with, dnc_queue_credential(mirror->options)) != 0)
		problem = "The token, or base_url, has changed since the last full pass.";
	else if (dnc_mirror_count(mirror, "SELECT count(*) FROM (SELECT FROM {mirror} m WHERE m.gone_at IS NULL LIMIT 1) one", NULL) == 0)
		problem = "The mirror has lost its entries: a few new ones must not pass for the whole list.";
	else if (mirror->newest == NULL)
		problem = "The last full pass has not seen the list in the order of created_at.";
	if (problem)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the mirror of \"%s\" cannot be refreshed with mode 'delta'",
						get_rel_name(mirror->source)),
				 errdetail_internal("%s", problem),
				 errhint("CALL dnc_fdw_mirror_refresh(%s);", quote_literal_cstr(mirror->source_name))));
}

/* End the transaction, and begin the next one. */
static void
commit(Delta *delta)
{
	MemoryContext before = CurrentMemoryContext;

	delta->commit();
	XactIsoLevel = XACT_READ_COMMITTED;
	MemoryContextSwitchTo(before);
}

/* Store the page at hand, and see whether it is the last one that is needed. */
static void
take_page(Delta *delta)
{
	DncPass    *pass = delta->pass;
	DncOrder	wanted = delta->from_end ? DNC_ORDER_NEWEST_LAST : DNC_ORDER_NEWEST_FIRST;
	int64		before = delta->unknown;
	int64		rows_before = pass->rows;
	MemoryContext context = MemoryContextSwitchTo(delta->step_context);

	pass->page_newest_at = 0;
	if (delta->from_end)
	{
		pass->order = DNC_ORDER_ANY;
		pass->last_created_at = 0;
	}
	PushActiveSnapshot(GetTransactionSnapshot());
	dnc_own_disbelieve_future();
	pass->rows += dnc_stage_page(delta->stage, pass, &delta->entries);
	pass->pages++;
	pass->requests = delta->counters->counts[DNC_COUNT_REQUESTS];
	CommandCounterIncrement();
	delta->unknown = dnc_mirror_count(delta->mirror,
									  "SELECT count(*) FROM {staging} s WHERE s.turn = 0 AND NOT EXISTS "
									  "(SELECT FROM {mirror} m WHERE m.identity = s.identity AND m.gone_at IS NULL)", NULL);
	dnc_pass_save(pass);
	PopActiveSnapshot();
	commit(delta);
	MemoryContextSwitchTo(context);
	MemoryContextReset(delta->step_context);
	delta->broken |= pass->order != wanted && pass->order != DNC_ORDER_ANY;
	/*
	 * All of a page that the list has pushed on may have been given before: that says nothing.  Nor
	 * does a page of entries of the future: new ones stand behind all of these.
	 */
	delta->seen_all = delta->unknown == before && pass->rows > rows_before &&
		pass->page_newest_at < Min(delta->mirror->newest_at, delta->mirror->complete_as_of) - LATENESS;
}

/*
 * Begin with the page that was the last one at the last full pass: its answer says how many
 * there are now, and mostly it is still the last one.  Where we do not know, with page 1.
 */
static void
choose_first(Delta *delta)
{
	const DncOptions *options = delta->mirror->options;
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	const DncPaging *paging = NULL;

	delta->first = 1;
	PushActiveSnapshot(GetTransactionSnapshot());
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(delta->mirror->source));
	dnc_queue_open(&query, "SELECT p.generation, (p.total + p.page_size - 1) / p.page_size FROM %1$s.dnc_fdw_pass_log p "
				   "WHERE p.source = $1 AND p.mode = 'full' AND p.state = 'done' AND p.total > 0 AND p.page_size > 0 "
				   "AND p.generation IS NOT NULL ORDER BY p.id DESC LIMIT 1", &arguments, true);
	if (query.count > 0)
		paging = dnc_paging_of_marker(options->provider, dnc_queue_utf8(&query, 0, 1, delta->step_context));
	if (paging && paging->style == DNC_PAGING_NUMBER)
	{
		delta->first = DatumGetInt64(dnc_queue_datum(&query, 0, 2));
		dnc_pager_set_first(delta->entries.pager, paging, delta->first);
	}
	dnc_queue_close(&query);
	PopActiveSnapshot();
	InvalidateCatalogSnapshot();
}

/* Read the first page of numbered ones, whichever that is. */
static bool
first_page(Delta *delta)
{
	DncPager   *pager = delta->entries.pager;

	if (!dnc_entries_next_page(&delta->entries))
		return false;
	delta->number = dnc_pager_pages(pager);
	delta->first_total = dnc_pager_total(pager);
	if (delta->number < 0)
		delta->broken = true;	/* pages have no numbers any more */
	return true;
}

/* Go to the next page of the list; false: there is none. */
static bool
next_page(Delta *delta)
{
	DncPager   *pager = delta->entries.pager;
	DncPage		page;

	InvalidateCatalogSnapshot();
	if (!delta->from_end)
		return dnc_entries_next_page(&delta->entries);
	if (delta->number < 0)
		return first_page(delta);
	while (delta->number > 0 && !delta->seen_all)
	{
		int64		number = delta->number--;

		/* It was read, and nothing has moved since. */
		if (number == delta->first && dnc_pager_total(pager) == delta->first_total)
			delta->seen_all = delta->first_is_old;
		else if (dnc_pager_jump(pager, number, &page))
		{
			dnc_entries_begin_page(&delta->entries, &page);
			return true;
		}
	}
	return false;
}

/* Does a page that is not the last one tell that all is read?  Not yet: later ones are newer. */
static void
put_off(Delta *delta)
{
	if (!delta->from_end || delta->number <= delta->first || delta->pass->pages > 1)
		return;
	delta->first_is_old = delta->seen_all;
	delta->seen_all = false;
}

/* Read what is new into the staging table. */
static void
read_new(Delta *delta)
{
	bool		found;

	while (!delta->broken && !delta->seen_all)
	{
		CHECK_FOR_INTERRUPTS();
		delta->spent = !dnc_max_requests_allows(delta->counters->budget, 1);
		if (delta->spent)
			return;
		*delta->asking = true;
		found = next_page(delta);
		*delta->asking = false;
		if (!found)
			break;
		take_page(delta);
		put_off(delta);
	}
	if (delta->broken)
		ereport(NOTICE,
				(errmsg("the list \"%s\" is not in the order of created_at any more",
						get_rel_name(delta->mirror->source)),
				 errhint("The next refresh has to be a full pass.")));
}

/* From now on, no delta until a full pass has seen the order again. */
static void
forget_order(const DncMirror *mirror)
{
	DncQueueArguments arguments = {0};

	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(mirror->source));
	dnc_queue_run("UPDATE %1$s.dnc_fdw_mirror_lists SET newest = NULL WHERE source = $1", &arguments);
}

/*
 * Read what is new on a list, and merge it.  *pass is the pass, from its begin on, and
 * *asking tells that an error is the remote's.  Ends and begins transactions by commit_by.
 * False: the budget was spent first; what was read is merged, and the next delta begins
 * anew.  Raises 55000 where the list has no order that allows it, and what
 * dnc_pager_next() does.
 */
bool
dnc_delta_run(const DncMirror *mirror, DncPass **pass, DncStage *stage, DncCounters *counters,
			  bool *asking, void (*commit_by) (void))
{
	Delta		delta = {.mirror = mirror,.stage = stage,.counters = counters,.asking = asking,
	.commit = commit_by,.number = -1};

	PushActiveSnapshot(GetTransactionSnapshot());
	require_order(mirror);
	PopActiveSnapshot();
	delta.from_end = strcmp(mirror->newest, "last") == 0;
	counters->progress = dnc_progress_begin("mirror", mirror->options, mirror->source, -1);
	PushActiveSnapshot(GetTransactionSnapshot());
	*pass = delta.pass = dnc_pass_begin(mirror, true);
	PopActiveSnapshot();
	commit(&delta);
	delta.step_context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw step",
											   ALLOCSET_DEFAULT_SIZES);
	delta.entries = (DncEntries) {.pager = dnc_pager_begin(mirror->options, NIL, counters)};
	if (delta.from_end)
		choose_first(&delta);
	read_new(&delta);
	PushActiveSnapshot(GetTransactionSnapshot());
	dnc_merge_delta(delta.pass, !delta.broken && !delta.spent);
	if (delta.broken)
		forget_order(mirror);
	PopActiveSnapshot();
	commit(&delta);
	return !delta.spent;
}
