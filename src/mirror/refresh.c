/*-------------------------------------------------------------------------
 *
 * refresh.c
 *		Brings a mirror up to date.
 *
 * Each page is a step and a transaction.  We request the page without holding a snapshot or a
 * lock on a table.  Then we store its entries together with the place behind the page.  So
 * whatever interrupts a pass, the next call goes on behind the last page that was stored.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "config/credential.h"
#include "mirror/columns.h"
#include "mirror/delta.h"
#include "mirror/lookups.h"
#include "mirror/merge.h"
#include "mirror/own.h"
#include "mirror/refresh.h"
#include "mirror/stage.h"
#include "request/counters.h"
#include "request/rate_limit.h"

/* The class of our advisory locks: neither users nor the queue's senders use it. */
#define LOCK_CLASS 0xD0D

/* A refresh under way, in the memory of the caller's context. */
typedef struct Refresh
{
	const DncRefresh *asked;
	DncMirror  *mirror;
	DncPass    *pass;
	DncBudget	budget;
	DncCounters counters;
	int64		requests_before;	/* that earlier calls have sent for this pass */
	DncStage   *stage;
	DncEntries	entries;
	MemoryContext position_context; /* holds the pass's position */
	MemoryContext step;			/* reset with each transaction */
	bool		asking;			/* an error comes from the vendor or the network */
} Refresh;

/*
 * End the transaction, and begin the next one, in READ COMMITTED whatever the session's default
 * is.  Memory that is palloc'd from here on lives until the next call of this function.
 */
static void
commit(const Refresh *refresh)
{
	refresh->asked->commit();
	XactIsoLevel = XACT_READ_COMMITTED;
	MemoryContextSwitchTo(refresh->step);
	MemoryContextReset(refresh->step);
}

/* ----- a full pass ----- */

/*
 * Let this transaction commit without waiting for the disk.  A crash may lose the last pages, but
 * only together with the place behind them, so the pass goes on in front of them.  The commit of
 * the merge waits for all.
 */
static void
commit_early(void)
{
	(void) set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/* Store the entries of the current page and the place behind the page, and commit. */
static void
store_page(Refresh *refresh)
{
	DncPass    *pass = refresh->pass;

	PushActiveSnapshot(GetTransactionSnapshot());
	dnc_own_disbelieve_future();
	pass->rows += dnc_stage_page(refresh->stage, pass, &refresh->entries);
	pass->pages++;
	pass->requests = refresh->requests_before + refresh->counters.counts[DNC_COUNT_REQUESTS];
	MemoryContextReset(refresh->position_context);
	MemoryContextSwitchTo(refresh->position_context);
	dnc_pager_position(refresh->entries.pager, &pass->position);
	MemoryContextSwitchTo(refresh->step);
	dnc_pass_save(pass);
	PopActiveSnapshot();
	commit_early();
	commit(refresh);
}

/* Go to the place where the pass was left.  If we cannot, begin the pass anew. */
static void
take_up(Refresh *refresh)
{
	DncPass    *pass = refresh->pass;
	DncPosition position;
	const char *reason;
	DncPage		page;

	if (pass->position.generation == NULL || pass->position.at_end)
		return;
	/* With the ids of more pages than the last one, we find the place after more changes. */
	PushActiveSnapshot(GetTransactionSnapshot());
	position = pass->position;
	position.ids = list_concat(dnc_stage_recent_ids(pass), position.ids);
	PopActiveSnapshot();
	InvalidateCatalogSnapshot();
	refresh->asking = true;
	reason = dnc_pager_resume(refresh->entries.pager, &position, &page);
	refresh->asking = false;
	if (reason == NULL)
	{
		pass->resumes++;
		dnc_entries_begin_page(&refresh->entries, &page);
		pass->pages--;			/* store_page() counts this page again */
		store_page(refresh);
		return;
	}
	PushActiveSnapshot(GetTransactionSnapshot());
	dnc_pass_restart(pass, reason);
	PopActiveSnapshot();
	commit(refresh);
}

/* Go to the next page of the list; false: there is none. */
static bool
next_page(Refresh *refresh)
{
	bool		found;

	refresh->asking = true;
	InvalidateCatalogSnapshot();
	found = dnc_entries_next_page(&refresh->entries);
	refresh->asking = false;
	return found;
}

/* Read the list to its end.  False: the budget was spent first. */
static bool
read_list(Refresh *refresh)
{
	DncPass    *pass = refresh->pass;
	const DncOptions *options = refresh->mirror->options;
	int64		before;

	MemoryContextSwitchTo(refresh->asked->context);
	refresh->entries = (DncEntries) {.pager = dnc_pager_begin(options, NIL, &refresh->counters)};
	MemoryContextSwitchTo(refresh->step);
	take_up(refresh);
	before = pass->pages;
	while (!pass->position.at_end)
	{
		CHECK_FOR_INTERRUPTS();
		/* Each call gets a page further, even if that takes more requests since the list moves. */
		if (!dnc_max_requests_allows(&refresh->budget, 1) && pass->pages > before)
			return false;
		if (next_page(refresh))
			store_page(refresh);
		else
			pass->position.at_end = true;
	}
	return true;
}

/* Store that we have read the list to its end; again: that we read it a second time. */
static void
end_turn(Refresh *refresh, bool again)
{
	DncPass    *pass = refresh->pass;

	if (again)
	{
		memset(&pass->position, 0, sizeof(pass->position));
		pass->position.total = -1;
		pass->last_created_at = 0;
		pass->turn = 2;
	}
	PushActiveSnapshot(GetTransactionSnapshot());
	dnc_pass_save(pass);
	PopActiveSnapshot();
	commit(refresh);
}

/*
 * Does the mirror not know the list as yet?  Or has somebody emptied it, or accepted that it may be
 * another list?
 */
static bool
is_first_fill(const Refresh *refresh)
{
	bool		first;

	if (!refresh->mirror->complete || refresh->asked->accept_loss)
		return true;
	PushActiveSnapshot(GetTransactionSnapshot());
	first = dnc_mirror_count(refresh->mirror, "SELECT count(*) FROM (SELECT FROM {mirror} m "
							 "WHERE m.gone_at IS NULL LIMIT 1) one", NULL) == 0;
	PopActiveSnapshot();
	return first;
}

/*
 * Read the list for a full pass.  False: the budget was spent first.  With cursors, we can miss an
 * entry if the list moves.  For an entry that the mirror knows, later passes make up for that,
 * since an entry only goes if several miss it.  The first fill reads such a list twice.
 */
static bool
read_all(Refresh *refresh)
{
	DncPass    *pass = refresh->pass;

	while (true)
	{
		bool		again;

		if (!read_list(refresh))
			return false;
		again = pass->turn == 1 && dnc_pass_has_cursors(pass) && is_first_fill(refresh);
		end_turn(refresh, again);
		if (!again)
			return true;
	}
}

/* Find the pass that goes on, or begin a new one. */
static void
find_pass(Refresh *refresh)
{
	const char *reason = NULL;

	MemoryContextSwitchTo(refresh->asked->context);
	/* Entries that the lookups of an earlier call did not find may have come back since. */
	refresh->pass = dnc_pass_find(refresh->mirror);
	if (refresh->pass)
		refresh->pass->not_there = NIL;
	if (refresh->pass == NULL)
		refresh->pass = dnc_pass_begin(refresh->mirror, false);
	else
		reason = dnc_pass_must_restart(refresh->pass);
	if (reason)
		dnc_pass_restart(refresh->pass, reason);
}

/* Look up entries that would go, each in a transaction of its own, while the budget lasts. */
static void
look_up(Refresh *refresh)
{
	List	   *candidates;
	ListCell   *cell;

	/* The candidates must outlive the transactions: the pass keeps their identities. */
	MemoryContextSwitchTo(refresh->asked->context);
	PushActiveSnapshot(GetTransactionSnapshot());
	candidates = dnc_lookups_find(refresh->pass);
	PopActiveSnapshot();
	commit(refresh);
	foreach(cell, candidates)
	{
		CHECK_FOR_INTERRUPTS();
		if (!dnc_max_requests_allows(&refresh->budget, 1))
			break;
		MemoryContextSwitchTo(refresh->asked->context);
		dnc_lookups_ask(refresh->pass, lfirst(cell), &refresh->counters, &refresh->asking);
		commit(refresh);
	}
}

/*
 * Make a full pass, or the rest of one.  False: the budget was spent before its end.  Raises 55000
 * if the pass fails its checks.
 */
static bool
full_pass(Refresh *refresh)
{
	const char *problem;
	bool		is_loss;

	PushActiveSnapshot(GetTransactionSnapshot());
	find_pass(refresh);
	PopActiveSnapshot();
	commit(refresh);
	refresh->requests_before = refresh->pass->requests;
	/* The pass is shown until its memory context goes, which must outlive the steps. */
	MemoryContextSwitchTo(refresh->asked->context);
	refresh->counters.progress = dnc_progress_begin("mirror", refresh->mirror->options,
													refresh->mirror->source,
													refresh->mirror->options->estimated_rows);
	MemoryContextSwitchTo(refresh->step);
	if (!read_all(refresh))
		return false;
	look_up(refresh);
	refresh->pass->requests = refresh->requests_before + refresh->counters.counts[DNC_COUNT_REQUESTS];
	PushActiveSnapshot(GetTransactionSnapshot());
	problem = dnc_merge_full(refresh->pass, refresh->asked->accept_loss, &is_loss);
	if (problem)
		problem = MemoryContextStrdup(refresh->asked->context, problem);	/* outlives the step */
	PopActiveSnapshot();
	commit(refresh);
	if (problem)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the pass over \"%s\" failed", get_rel_name(refresh->mirror->source)),
				 errdetail_internal("%s", problem),
				 !is_loss ? errhint("The mirror stays as it was. CALL dnc_fdw_mirror_refresh(%s); reads the list anew. Leave the staging table to the refresh.",
									quote_literal_cstr(refresh->mirror->source_name))
				 : errhint("%sThe mirror stays as it was. If the list is right as it is: CALL dnc_fdw_mirror_refresh(%s, accept_loss => true);",
						 refresh->pass->rows == 0 ? "First see that the token is of the right account. " : "",
						 quote_literal_cstr(refresh->mirror->source_name))));
	return true;
}

/* ----- the refresh as a whole ----- */

/*
 * Raise 55000 if another role with another token has read the list so far.  The current token may
 * be for another list, and then all entries would go.  With accept_loss, or before the first
 * complete pass, we store the current role instead.  Needs an active snapshot.
 */
static void
require_token(const Refresh *refresh)
{
	DncMirror  *mirror = refresh->mirror;
	Oid			serverid = mirror->options->serverid;

	if (dnc_credential_is_same(serverid, GetUserId(), serverid, mirror->read_by))
		return;
	if (mirror->complete && !refresh->asked->accept_loss)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the mirror of \"%s\" was read with the token of another role",
						get_rel_name(mirror->source)),
				 errdetail("The user mapping of role \"%s\" for server \"%s\" is not that of role \"%s\".",
						   GetUserNameFromId(GetUserId(), false), mirror->options->server_name,
						   GetUserNameFromId(mirror->read_by, true) ? GetUserNameFromId(mirror->read_by, true) : "(dropped)"),
				 errhint("Refresh as that role. If both tokens are of one list: CALL dnc_fdw_mirror_refresh(%s, accept_loss => true);",
						 quote_literal_cstr(mirror->source_name))));
	dnc_mirror_set_reader(mirror, GetUserId());
}

/* Make the refresh, while we hold the lock.  False: the budget was spent first. */
static bool
run(Refresh *refresh)
{
	const DncRefresh *asked = refresh->asked;

	MemoryContextSwitchTo(asked->context);
	PushActiveSnapshot(GetTransactionSnapshot());
	refresh->mirror = dnc_mirror_load(asked->source);
	dnc_columns_require(refresh->mirror);
	require_token(refresh);
	PopActiveSnapshot();
	refresh->budget.limit = asked->max_requests;
	refresh->budget.is_soft = true;
	/* Without prefetching, we waste no request when the budget or the delta ends. */
	if (asked->max_requests > 0 || asked->delta)
		refresh->mirror->options = dnc_options_overlapping(refresh->mirror->options, 1);
	dnc_counters_begin(&refresh->counters, refresh->mirror->options, &refresh->budget);
	refresh->stage = dnc_stage_begin(refresh->mirror);
	refresh->position_context = AllocSetContextCreate(asked->context, "dnc_fdw position",
													  ALLOCSET_SMALL_SIZES);
	if (!asked->delta)
		return full_pass(refresh);
	return dnc_delta_run(refresh->mirror, &refresh->pass, refresh->stage, &refresh->counters,
						 &refresh->asking, asked->commit);
}

/*
 * If the error that has ended the refresh came from the vendor or the network, store the error
 * with the pass, and return it; the caller has to raise it again.  We do not store a cancel, a
 * shutdown or an error of this database, which the caller of the refresh sees.  Then the result is
 * NULL, and the error is still being handled.
 */
static ErrorData *
note_error(Refresh *refresh)
{
	ErrorData  *error;

	MemoryContextSwitchTo(refresh->asked->context);
	error = CopyErrorData();
	if (!refresh->asking || refresh->pass == NULL || error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
		return NULL;
	FlushErrorState();
	refresh->asked->rollback();
	MemoryContextSwitchTo(refresh->step);
	PushActiveSnapshot(GetTransactionSnapshot());
	dnc_pass_note_error(refresh->pass->id, unpack_sql_state(error->sqlerrcode), error->message);
	PopActiveSnapshot();
	commit(refresh);
	return error;
}

/*
 * Bring a mirror up to date, or go on with the pass that does.  Ends and begins transactions with
 * asked->commit.  Returns false if the budget was spent before the end.  Then the next call goes
 * on with a full pass; a delta begins anew.
 *
 * Raises 55006 if another session refreshes this mirror, 55000 if the pass fails its checks or
 * the mirror cannot be refreshed in this way, and the errors of dnc_mirror_require_owner(),
 * dnc_mirror_load(), dnc_pager_next() and the merge.
 */
bool
dnc_mirror_refresh(const DncRefresh *asked)
{
	MemoryContext before = MemoryContextSwitchTo(asked->context);
	Refresh    *refresh = palloc0(sizeof(Refresh));
	LOCKTAG		lock;
	bool		done = false;

	refresh->asked = asked;
	refresh->step = AllocSetContextCreate(asked->context, "dnc_fdw mirror step", ALLOCSET_DEFAULT_SIZES);
	dnc_mirror_require_owner(asked->source);
	SET_LOCKTAG_ADVISORY(lock, MyDatabaseId, asked->source, 0, LOCK_CLASS);
	if (LockAcquire(&lock, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another session is refreshing the mirror of \"%s\"",
						get_rel_name(asked->source)),
				 errhint("Wait for its end. dnc_fdw_progress shows how far it is.")));
	dnc_rate_limit_mirror = true;
	PG_TRY();
	{
		commit(refresh);
		done = run(refresh);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		dnc_rate_limit_mirror = false;
		LockRelease(&lock, ExclusiveLock, true);
		error = note_error(refresh);
		if (error)
			ReThrowError(error);
		PG_RE_THROW();
	}
	PG_END_TRY();
	dnc_rate_limit_mirror = false;
	LockRelease(&lock, ExclusiveLock, true);
	MemoryContextSwitchTo(before);
	return done;
}

/*
 * Run dnc_mirror_refresh() for a CALL, with SPI's transactions.  Fills in commit, rollback and
 * context of *refresh.
 */
void
dnc_mirror_refresh_by_call(DncRefresh *refresh)
{
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	refresh->commit = SPI_commit;
	refresh->rollback = SPI_rollback;
	refresh->context = AllocSetContextCreate(PortalContext, "dnc_fdw mirror", ALLOCSET_DEFAULT_SIZES);
	(void) dnc_mirror_refresh(refresh);
	MemoryContextDelete(refresh->context);
	SPI_finish();
}
