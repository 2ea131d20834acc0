/*-------------------------------------------------------------------------
 *
 * delta.c
 *		Reads the new entries of a list, for its mirror.
 *
 * A delta only adds.  It begins at the end of the list where new entries stand.  It ends after
 * a page whose entries the mirror knows, and which are all old: older by more than ten minutes
 * than the newest entry of the last full pass, by the vendor's clock, and than the beginning of that
 * pass.  The ten minutes are for entries that appear a little late.
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

/* An entry may appear on the list this long after its created_at. */
#define LATENESS ((int64) 10 * 60 * USECS_PER_SEC)

/* A delta under way. */
typedef struct Delta
{
	const DncMirror *mirror;
	DncPass    *pass;
	DncStage   *stage;
	DncEntries	entries;
	DncCounters *counters;
	bool	   *asking;			/* set: an error comes from the vendor or the network */
	MemoryContext step_context; /* reset with each page */
	void		(*commit) (void);
	bool		from_end;		/* the newest entries are on the last page */
	int64		first;			/* from_end: the page that we read first */
	int64		first_total;	/* from_end: the number of entries on the list then */
	bool		first_is_old;	/* from_end: all entries of that page were known and old */
	int64		number;			/* from_end: the page to read next; -1: no page was read yet */
	bool		broken;			/* the list is not in its former order any more */
	bool		seen_all;		/* we have reached a page of known, old entries */
	bool		spent;			/* the budget of requests is spent */
} Delta;

/* Raise 55000 if a delta could miss new entries, or if its few entries would pass for the list. */
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

/* End the transaction, and begin the next one, in READ COMMITTED. */
static void
commit(Delta *delta)
{
	MemoryContext before = CurrentMemoryContext;

	delta->commit();
	XactIsoLevel = XACT_READ_COMMITTED;
	MemoryContextSwitchTo(before);
}

/*
 * Does the mirror lack an entry of the current page?  Its rows are those that this transaction has
 * stored.  We do not look at all rows of the delta: with many new entries, that would take ever
 * longer.
 */
static bool
has_unknown(const DncMirror *mirror)
{
	return dnc_mirror_count(mirror,
							"SELECT count(*) FROM {staging} s WHERE s.turn = 0 AND s.xmin = pg_current_xact_id()::xid AND NOT EXISTS "
							"(SELECT FROM {mirror} m WHERE m.identity = s.identity AND m.gone_at IS NULL)", NULL) > 0;
}

/* Store the current page, commit, and find out whether we need more pages. */
static void
take_page(Delta *delta)
{
	DncPass    *pass = delta->pass;
	DncOrder	wanted = delta->from_end ? DNC_ORDER_NEWEST_LAST : DNC_ORDER_NEWEST_FIRST;
	int64		rows_before = pass->rows;
	bool		has_new;
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
	has_new = has_unknown(delta->mirror);
	dnc_pass_save(pass);
	PopActiveSnapshot();
	commit(delta);
	MemoryContextSwitchTo(context);
	MemoryContextReset(delta->step_context);
	delta->broken |= pass->order != wanted && pass->order != DNC_ORDER_ANY;
	/*
	 * If the list has moved, a page may only repeat entries that we have: that proves nothing.  Nor
	 * does a page of entries from the future: new entries stand after all of these.
	 */
	delta->seen_all = !has_new && pass->rows > rows_before &&
		pass->page_newest_at < Min(delta->mirror->newest_at, delta->mirror->complete_as_of) - LATENESS;
}

/*
 * Choose the page to read first: the list's last page at the last full pass, or page 1 if we do
 * not know.  Its answer says how many pages there are now; mostly it still is the last page.
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

/* Read the page that choose_first() has chosen, and note the list's length; false: no page. */
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

/* Go to the next page that the delta has to read; false: there is none. */
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

		/* We read this page first, and the list is as long as it was then. */
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

/*
 * If the page that we read first is not the last page of the list, newer entries follow it.  Then
 * old entries on it do not end the delta yet.
 */
static void
put_off(Delta *delta)
{
	if (!delta->from_end || delta->number <= delta->first || delta->pass->pages > 1)
		return;
	delta->first_is_old = delta->seen_all;
	delta->seen_all = false;
}

/* Read the new entries into the staging table, until the delta is complete or must end. */
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

/* Allow no more deltas until a full pass has seen the list in order again. */
static void
forget_order(const DncMirror *mirror)
{
	DncQueueArguments arguments = {0};

	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(mirror->source));
	dnc_queue_run("UPDATE %1$s.dnc_fdw_mirror_lists SET newest = NULL WHERE source = $1", &arguments);
}

/*
 * Read the new entries of a list, and merge them.  *pass becomes the pass as soon as it begins,
 * palloc'd in the current context.  *asking is true while an error would come from the vendor or
 * the network.  Ends and begins transactions with commit_by.
 *
 * Returns false if the budget was spent first.  Then we merge the entries that we have, and the
 * next delta begins anew.  If the list has lost its order, we raise a NOTICE, and the next
 * refresh has to be a full pass.  Raises 55000 if a delta is not allowed, or cannot be merged,
 * and the errors of dnc_pager_next().
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
