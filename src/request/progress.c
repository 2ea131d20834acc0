/*-------------------------------------------------------------------------
 *
 * progress.c
 *		The work that runs now in any session of the cluster, for the view dnc_fdw_progress.
 *
 * A scan, an ANALYZE or the sending of writes takes a place in shared memory when it
 * sends its first request.  It gives the place back when its memory context goes: at its
 * end, with an error, or with an abort.  If there is no shared memory (shmem.c), or no
 * free place, the work runs without being shown.
 *
 * Only the session that holds a place writes to it.  It writes the descriptive fields
 * under the lock.  The counts are atomic, so a reader never sees half of a count.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "request/progress.h"
#include "shmem.h"

#define MAX_RUNNING 256

struct DncProgress
{
	int			pid;			/* 0: the place is free */
	Oid			databaseid;
	Oid			userid;
	Oid			relid;
	NameData	server;
	NameData	action;
	TimestampTz started_at;
	pg_atomic_uint64 pages;
	pg_atomic_uint64 rows;
	pg_atomic_uint64 expected_rows;
	pg_atomic_uint64 requests;
	pg_atomic_uint64 waiting_until;
};

typedef struct SharedProgress
{
	DncSharedLock lock;			/* guards everything except the counts */
	DncProgress places[MAX_RUNNING];
} SharedProgress;

static void init_shared(void *memory);

/* Change the number with the layout. */
static DncSharedArea shared_area = {.name = "dnc_fdw progress 1", .size = sizeof(SharedProgress),
.init = init_shared};

static SharedProgress *shared = NULL;

/* Set up the shared memory. */
static void
init_shared(void *memory)
{
	SharedProgress *all = memory;

	memset(all, 0, sizeof(*all));
	dnc_shmem_init_lock(&all->lock);
	for (int i = 0; i < MAX_RUNNING; i++)
	{
		pg_atomic_init_u64(&all->places[i].pages, 0);
		pg_atomic_init_u64(&all->places[i].rows, 0);
		pg_atomic_init_u64(&all->places[i].expected_rows, 0);
		pg_atomic_init_u64(&all->places[i].requests, 0);
		pg_atomic_init_u64(&all->places[i].waiting_until, 0);
	}
}

/* For _PG_init(): reserve the memory, if the library is preloaded. */
void
dnc_progress_init(void)
{
	dnc_shmem_register(&shared_area);
}

/* Give a place back, if it is ours.  Raises nothing. */
static void
give_back(void *arg)
{
	DncProgress *progress = arg;

	LWLockAcquire(&shared->lock.lock, LW_EXCLUSIVE);
	if (progress->pid == MyProcPid)
		progress->pid = 0;
	LWLockRelease(&shared->lock.lock);
}

/* before_shmem_exit: a process may end without deleting its memory contexts. */
static void
give_all_back(int code, Datum arg)
{
	for (int i = 0; i < MAX_RUNNING; i++)
		give_back(&shared->places[i]);
}

/* The shared memory; NULL: there is none. */
static SharedProgress *
attach(void)
{
	if (shared == NULL)
	{
		shared = dnc_shmem_attach(&shared_area);
		if (shared)
			before_shmem_exit(give_all_back, (Datum) 0);
	}
	return shared;
}

/* Take a free place; NULL: there is none. */
static DncProgress *
take_place(const char *action, const DncOptions *options, Oid relid)
{
	DncProgress *progress = NULL;

	LWLockAcquire(&shared->lock.lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_RUNNING && progress == NULL; i++)
	{
		if (shared->places[i].pid == 0)
			progress = &shared->places[i];
	}
	if (progress)
	{
		progress->pid = MyProcPid;
		progress->databaseid = MyDatabaseId;
		progress->userid = GetSessionUserId();
		progress->relid = relid;
		namestrcpy(&progress->server, options->server_name);
		namestrcpy(&progress->action, action);
		progress->started_at = GetCurrentTimestamp();
		pg_atomic_write_u64(&progress->pages, 0);
		pg_atomic_write_u64(&progress->rows, 0);
		pg_atomic_write_u64(&progress->expected_rows, (uint64) -1);
		pg_atomic_write_u64(&progress->requests, 0);
		pg_atomic_write_u64(&progress->waiting_until, 0);
	}
	LWLockRelease(&shared->lock.lock);
	return progress;
}

/*
 * Show that work runs, until the current memory context goes.  action is one word; relid may be
 * InvalidOid; expected_rows is -1 if not known.  NULL: there is no place for it.  All functions
 * here accept NULL.
 */
DncProgress *
dnc_progress_begin(const char *action, const DncOptions *options, Oid relid, double expected_rows)
{
	MemoryContextCallback *callback;
	DncProgress *progress;

	if (attach() == NULL)
		return NULL;
	callback = palloc0(sizeof(MemoryContextCallback));
	progress = take_place(action, options, relid);
	if (progress == NULL)
		return NULL;
	callback->func = give_back;
	callback->arg = progress;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	dnc_progress_expect(progress, (int64) Min(expected_rows, 1e15));
	return progress;
}

/* Set the number of expected rows; less than 0: not known, and nothing changes. */
void
dnc_progress_expect(DncProgress *progress, int64 rows)
{
	if (progress && rows >= 0)
		pg_atomic_write_u64(&progress->expected_rows, (uint64) rows);
}

/* Add to the counts that the view shows. */
void
dnc_progress_count(DncProgress *progress, DncCount what, int64 more)
{
	if (progress == NULL)
		return;
	if (what == DNC_COUNT_REQUESTS)
		pg_atomic_fetch_add_u64(&progress->requests, more);
	if (what == DNC_COUNT_ENTRIES)	/* counted once a page */
		pg_atomic_fetch_add_u64(&progress->pages, 1);
	if (what == DNC_COUNT_ENTRIES || what == DNC_COUNT_ADDED || what == DNC_COUNT_DELETED)
		pg_atomic_fetch_add_u64(&progress->rows, more);
}

/* The work waits this many microseconds for permission to send; less than 0: it does not wait. */
void
dnc_progress_wait(DncProgress *progress, int64 wait)
{
	if (progress)
		pg_atomic_write_u64(&progress->waiting_until,
							wait < 0 ? 0 : (uint64) (GetCurrentTimestamp() + wait));
}

/* All work that runs: a list of DncProgressRow *, palloc'd.  False: there is no shared memory. */
bool
dnc_progress_read(List **rows)
{
	*rows = NIL;
	if (attach() == NULL)
		return false;
	LWLockAcquire(&shared->lock.lock, LW_SHARED);
	for (int i = 0; i < MAX_RUNNING; i++)
	{
		DncProgress *progress = &shared->places[i];
		DncProgressRow *row;

		if (progress->pid == 0)
			continue;
		row = palloc0(sizeof(DncProgressRow));
		row->pid = progress->pid;
		row->databaseid = progress->databaseid;
		row->userid = progress->userid;
		row->relid = progress->relid;
		row->server = progress->server;
		row->action = progress->action;
		row->started_at = progress->started_at;
		row->pages = (int64) pg_atomic_read_u64(&progress->pages);
		row->rows = (int64) pg_atomic_read_u64(&progress->rows);
		row->expected_rows = (int64) pg_atomic_read_u64(&progress->expected_rows);
		row->requests = (int64) pg_atomic_read_u64(&progress->requests);
		row->waiting_until = (TimestampTz) pg_atomic_read_u64(&progress->waiting_until);
		*rows = lappend(*rows, row);
	}
	LWLockRelease(&shared->lock.lock);
	return true;
}
