/*-------------------------------------------------------------------------
 *
 * refresh.c
 *		Brings a mirror up to date.
 *
 * A step is a page and a transaction: the page is read with no snapshot and no lock held,
 * then its entries are stored together with the place behind it.  So whatever ends a
 * pass, the next call goes on from the last page that was stored.
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

/* Tells our locks from users' advisory locks, and from those of the queue's senders. */
#define LOCK_CLASS 0xD0D

/* A refresh that runs; in the memory of its caller's context. */
typedef struct Refresh
{
	const DncRefresh *asked;
	DncMirror  *mirror;
	DncPass    *pass;
	DncBudget	budget;
	DncCounters counters;
	int64		requests_before;	/* of the pass, by earlier calls */
	DncStage   *stage;
	DncEntries	entries;
	MemoryContext position_context; /* holds the pass's position */
	MemoryContext step;			/* reset with each transaction */
	bool		asking;			/* the remote is asked: an error is its, or the network's */
} Refresh;

/*
 * End the transaction, and begin one that does not depend on the session's settings.  What
 * is palloc'd from here on lives until the next time.
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
 * Do not wait for the disk at the end of this transaction.  A crash may take the last pages
 * then, and the place behind them, so that the pass goes on in front of them.  The merge waits
 * for all.
 */
static void
commit_early(void)
{
	(void) set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/* Store the page at hand and the place behind it, and commit. */
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

/* Take up the place where the pass was left, or begin it anew. */
static void
take_up(Refresh *refresh)
{
	DncPass    *pass = refresh->pass;
	DncPosition position;
	const char *reason;
	DncPage		page;

	if (pass->position.generation == NULL || pass->position.at_end)
		return;
	/* With more than the last page's, the place is found again after more changes. */
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
		pass->pages--;			/* it is counted again */
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

/* Read the list to its end, or until the budget is spent: false. */
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
		/* Each call gets on by a page, even if the list moves and that takes more requests. */
		if (!dnc_max_requests_allows(&refresh->budget, 1) && pass->pages > before)
			return false;
		if (next_page(refresh))
			store_page(refresh);
		else
			pass->position.at_end = true;
	}
	return true;
}

/* Store that the list is read, or that it is to be read a second time. */
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
 * Read all that a full pass has to read; false: the budget was spent first.  Behind
 * cursors an entry can be passed over while the list moves.  Later passes make up for that,
 * since an entry has to be missing from several; the first fill reads the list twice.
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
		again = pass->turn == 1 && !refresh->mirror->complete && dnc_pass_has_cursors(pass);
		end_turn(refresh, again);
		if (!again)
			return true;
	}
}

/* The pass that goes on, or a new one. */
static void
find_pass(Refresh *refresh)
{
	const char *reason = NULL;

	MemoryContextSwitchTo(refresh->asked->context);
	/* What an earlier call has not found when it looked may have come back since. */
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

/* Look entries up that would go with this pass, each a transaction, while the budget lasts. */
static void
look_up(Refresh *refresh)
{
	List	   *candidates;
	ListCell   *cell;

	/* What is found stays with the pass. */
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

/* A full pass, or the rest of one; false: the budget was spent before its end. */
static bool
full_pass(Refresh *refresh)
{
	const char *problem;

	PushActiveSnapshot(GetTransactionSnapshot());
	find_pass(refresh);
	PopActiveSnapshot();
	commit(refresh);
	refresh->requests_before = refresh->pass->requests;
	refresh->counters.progress = dnc_progress_begin("mirror", refresh->mirror->options,
													refresh->mirror->source,
													refresh->mirror->options->estimated_rows);
	if (!read_all(refresh))
		return false;
	look_up(refresh);
	refresh->pass->requests = refresh->requests_before + refresh->counters.counts[DNC_COUNT_REQUESTS];
	PushActiveSnapshot(GetTransactionSnapshot());
	problem = dnc_merge_full(refresh->pass, refresh->asked->accept_loss);
	if (problem)
		problem = MemoryContextStrdup(refresh->asked->context, problem);	/* longer than the step's */
	PopActiveSnapshot();
	commit(refresh);
	if (problem)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the pass over \"%s\" failed", get_rel_name(refresh->mirror->source)),
				 errdetail_internal("%s", problem),
				 errhint("%sThe mirror stays as it was. If the list is right as it is: CALL dnc_fdw_mirror_refresh(%s, accept_loss => true);",
						 refresh->pass->rows == 0 ? "First see that the token is of the right account. " : "",
						 quote_literal_cstr(refresh->mirror->source_name))));
	return true;
}

/* ----- the whole ----- */

/*
 * See to it that the list is read with the token that it was read with before: another one
 * may be for another list, and then all entries would go.  Raises 55000, unless a loss is
 * accepted.  Needs an active snapshot.
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

/* Do what is asked for, with the lock. */
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
	/* Pages that are asked for ahead would be lost at the end of the budget, or of a delta. */
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
 * Note the error that has ended the refresh, if it came from the remote.  Gives it back, to
 * be raised again; NULL: it is still being handled.  Errors of this database are not
 * noted: whoever runs the refresh sees them.
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
 * Bring a mirror up to date, or go on with that.  Ends and begins transactions by
 * refresh->commit.  True: it is done; false: the budget was spent, and the next call goes
 * on.  Raises 55006 if another session is at it, 55000 if the pass fails its checks, what
 * dnc_pager_next() raises, and what the merge does.
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

/* The same, by CALL, whose transactions are SPI's.  Fills in the rest of *refresh. */
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
