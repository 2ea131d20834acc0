/*-------------------------------------------------------------------------
 *
 * slots.c
 *		The background processes of the cluster, in shared memory.
 *
 * Each process that we start has a slot.  After a failure the slot stays until a process has done
 * the work.  The slot says what the process is for, whether it runs, and how it has failed.  So
 * launcher and schedulers need no memory of their own: after a restart they find the processes in
 * the slots.
 *
 * We know a launched process by its token.  A process that comes too late, or that somebody has
 * stopped before it came, finds another token in its slot, and ends.
 *
 * No function here allocates memory, or waits for anything but the lock.  Shared memory is there
 * only if the library is preloaded: without that the launcher could not run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/timestamp.h"

#include "worker/slots.h"

/* How many statements may keep our processes off a database at a time. */
#define HOLDS 16

/* After failures in a row we wait for 1, 2, 4 ... seconds, up to this. */
#define BACKOFF_CAP_S 60

/* A statement that wants no process of ours in a database. */
typedef struct Hold
{
	int			pid;			/* 0: free */
	Oid			database;
} Hold;

typedef struct SharedSlots
{
	DncSharedLock lock;			/* over all but work and latches */
	uint32		last_token;
	int			launcher;		/* its process; 0: it does not run */
	Latch *volatile launcher_latch;
	Hold		holds[HOLDS];
	DncSlot		slots[DNC_SLOTS];
} SharedSlots;

static void init_shared(void *memory);

/* The number in the name changes with the layout. */
static DncSharedArea shared_area = {
	.name = "dnc_fdw workers 1", .size = sizeof(SharedSlots), .init = init_shared};

/* Has the postmaster made the area? */
static bool registered = false;

/* Set up the shared memory. */
static void
init_shared(void *memory)
{
	SharedSlots *all = memory;

	memset(all, 0, sizeof(*all));
	dnc_shmem_init_lock(&all->lock);
	for (int i = 0; i < DNC_SLOTS; i++)
		pg_atomic_init_u32(&all->slots[i].work, 0);
}

/* For _PG_init(), if the library is preloaded: reserve the memory. */
void
dnc_slots_register(void)
{
	dnc_shmem_register(&shared_area);
	registered = true;
}

/* The shared memory, which must be there. */
static SharedSlots *
shared(void)
{
	return (SharedSlots *) shared_area.memory;
}

/* Is there shared memory for slots?  Only if the library is preloaded. */
bool
dnc_slots_exist(void)
{
	return registered && shared() != NULL;
}

void
dnc_slots_lock(bool exclusive)
{
	LWLockAcquire(&shared()->lock.lock, exclusive ? LW_EXCLUSIVE : LW_SHARED);
}

void
dnc_slots_unlock(void)
{
	LWLockRelease(&shared()->lock.lock);
}

/* ----- with the lock held by the caller ----- */

/* The slot of an index, from 0 to DNC_SLOTS - 1. */
DncSlot *
dnc_slot_at(int index)
{
	return &shared()->slots[index];
}

/* The slot of this kind for a subject; NULL: there is none. */
DncSlot *
dnc_slot_find(DncSlotKind kind, Oid database, Oid subject)
{
	for (int i = 0; i < DNC_SLOTS; i++)
	{
		DncSlot	   *slot = dnc_slot_at(i);

		if (slot->taken && slot->kind == kind && slot->database == database &&
			slot->subject == subject)
			return slot;
	}
	return NULL;
}

/* The slot of the scheduler of a database, by the name in dnc_fdw.databases; or NULL. */
DncSlot *
dnc_slot_find_scheduler(const char *database_name)
{
	for (int i = 0; i < DNC_SLOTS; i++)
	{
		DncSlot	   *slot = dnc_slot_at(i);

		if (slot->taken && slot->kind == DNC_SLOT_SCHEDULER &&
			strcmp(NameStr(slot->database_name), database_name) == 0)
			return slot;
	}
	return NULL;
}

/* Take a free slot for a subject; NULL: all are taken. */
DncSlot *
dnc_slot_take(DncSlotKind kind, Oid database, Oid subject)
{
	for (int i = 0; i < DNC_SLOTS; i++)
	{
		DncSlot	   *slot = dnc_slot_at(i);

		if (slot->taken)
			continue;
		memset(slot, 0, offsetof(DncSlot, work));
		pg_atomic_write_u32(&slot->work, 0);
		slot->taken = true;
		slot->kind = kind;
		slot->database = database;
		slot->subject = subject;
		slot->since = GetCurrentTimestamp();
		return slot;
	}
	return NULL;
}

/* Give a slot back that has no process. */
void
dnc_slot_free(DncSlot *slot)
{
	slot->taken = false;
}

/*
 * Does a statement keep our processes off a database?  A statement of a session that has ended
 * does not.
 */
static bool
is_held(Oid database)
{
	for (int i = 0; i < HOLDS; i++)
	{
		Hold	   *hold = &shared()->holds[i];

		if (hold->pid == 0 || hold->database != database)
			continue;
		if (BackendPidGetProc(hold->pid))
			return true;
		hold->pid = 0;
	}
	return false;
}

/*
 * We are about to launch a process for a slot that has none; *ticket goes with the process.
 * False: a statement wants no process in that database.
 */
bool
dnc_slot_launched(DncSlot *slot, DncSlotTicket *ticket)
{
	if (is_held(slot->database))
		return false;
	slot->token = ++shared()->last_token;
	if (slot->token == 0)
		slot->token = ++shared()->last_token;
	slot->pid = 0;
	slot->since = GetCurrentTimestamp();
	slot->stop = false;
	slot->idle = false;
	slot->ended = false;
	ticket->index = (int) (slot - shared()->slots);
	ticket->token = slot->token;
	return true;
}

/* Forget the failures of a slot. */
void
dnc_slot_forget_failures(DncSlot *slot)
{
	slot->failures = 0;
	slot->not_before = 0;
	slot->sqlstate[0] = '\0';
	slot->message[0] = '\0';
}

/* Keep a failure, and wait before the next start. */
void
dnc_slot_fail(DncSlot *slot, const DncSlotFailure *failure)
{
	int			wait = 1 << Min(slot->failures, 10);

	slot->failures++;
	slot->not_before =
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), 1000 * (int64) Min(wait, BACKOFF_CAP_S));
	strlcpy(slot->sqlstate, failure->sqlstate, sizeof(slot->sqlstate));
	strlcpy(slot->message, failure->message, sizeof(slot->message));
}

/*
 * Does the next start of a slot's process have to wait?  A wait that is longer than any of ours is
 * from before a clock was set back.
 */
bool
dnc_slot_has_to_wait(const DncSlot *slot, TimestampTz now)
{
	return slot->not_before > now && slot->not_before <= now + BACKOFF_CAP_S * USECS_PER_SEC;
}

/* PostgreSQL has no room for the process.  We try again after a second each time. */
void
dnc_slot_not_launched(DncSlot *slot, const DncSlotFailure *failure)
{
	slot->token = 0;
	slot->failures = 0;
	dnc_slot_fail(slot, failure);
}

/* The process has not come, and will not. */
void
dnc_slot_lost(DncSlot *slot)
{
	static const DncSlotFailure failure = {
		.sqlstate = "58000", .message = "the process was launched, but did not start"};

	slot->token = 0;
	slot->ended = true;
	dnc_slot_fail(slot, &failure);
}

/* Ask the process of a slot to end; false: there is none. */
bool
dnc_slot_stop(DncSlot *slot)
{
	if (!slot->taken || slot->token == 0)
		return false;
	slot->stop = true;
	if (slot->pid != 0)
		kill(slot->pid, SIGTERM);
	else
		slot->token = 0;		/* the process has not come yet, and will end at once */
	return slot->pid != 0;
}

/*
 * Ask all processes in a database to end, the scheduler first, since it would start others.
 * Gives back how many are still there.
 */
int
dnc_slots_stop(Oid database)
{
	int			left = 0;

	for (int kind = DNC_SLOT_SCHEDULER; kind <= DNC_SLOT_MIRROR; kind++)
	{
		for (int i = 0; i < DNC_SLOTS; i++)
		{
			DncSlot	   *slot = dnc_slot_at(i);

			if (slot->kind == (DncSlotKind) kind && slot->database == database &&
				dnc_slot_stop(slot))
				left++;
		}
	}
	return left;
}

/* The launcher's process; 0: it does not run. */
int
dnc_slots_launcher(void)
{
	return shared()->launcher;
}

/* ----- without the lock ----- */

/*
 * Tell a slot's process that there is something to do.  Takes no lock and raises nothing, for
 * callers that have just committed.  The slot may belong to another process by now: that looks in
 * vain.
 */
void
dnc_slot_wake(DncSlot *slot, uint32 work)
{
	Latch	   *latch;

	pg_atomic_fetch_or_u32(&slot->work, work);
	pg_memory_barrier();
	latch = slot->latch;
	if (latch)
		SetLatch(latch);
	else
		dnc_slots_wake_launcher();
}

/* Wake the launcher.  Raises nothing. */
void
dnc_slots_wake_launcher(void)
{
	Latch	   *latch = shared()->launcher_latch;

	if (latch)
		SetLatch(latch);
}

/* Enter a new process into its slot; false: the process is not wanted any more. */
bool
dnc_slot_enter(const DncSlotTicket *ticket)
{
	DncSlot	   *slot = dnc_slot_at(ticket->index);
	bool		wanted;

	dnc_slots_lock(true);
	wanted = slot->taken && slot->token == ticket->token && slot->pid == 0 && !slot->stop;
	if (wanted)
	{
		slot->pid = MyProcPid;
		slot->since = GetCurrentTimestamp();
		slot->latch = MyLatch;
	}
	dnc_slots_unlock();
	return wanted;
}

/* The work of a slot has succeeded. */
void
dnc_slot_succeeded(DncSlot *slot)
{
	if (slot->failures == 0)
		return;					/* nobody else changes them while the process runs */
	dnc_slots_lock(true);
	dnc_slot_forget_failures(slot);
	dnc_slots_unlock();
}

/* The process of a slot only waits for more to do, or goes on. */
void
dnc_slot_set_idle(DncSlot *slot, bool idle)
{
	dnc_slots_lock(true);
	slot->idle = idle;
	dnc_slots_unlock();
}

/* The process of a slot ends; failure is NULL if it ends without one. */
void
dnc_slot_leave(DncSlot *slot, const DncSlotFailure *failure)
{
	DncSlot	   *scheduler;

	dnc_slots_lock(true);
	slot->pid = 0;
	slot->token = 0;
	slot->latch = NULL;
	slot->since = GetCurrentTimestamp();
	slot->ended = !slot->stop;
	if (failure && !slot->stop)
		dnc_slot_fail(slot, failure);
	if (failure == NULL)
		dnc_slot_forget_failures(slot);
	slot->stop = false;
	scheduler = slot->kind == DNC_SLOT_SCHEDULER
					? NULL
					: dnc_slot_find(DNC_SLOT_SCHEDULER, slot->database, InvalidOid);
	dnc_slots_unlock();
	if (scheduler)
		dnc_slot_wake(scheduler, DNC_WORK_ENDED);
	else
		dnc_slots_wake_launcher();
}

/* on_shmem_exit */
static void
leave_launcher(int code, Datum arg)
{
	dnc_slots_lock(true);
	shared()->launcher = 0;
	shared()->launcher_latch = NULL;
	dnc_slots_unlock();
}

/* Enter the launcher's process. */
void
dnc_slots_enter_launcher(void)
{
	on_shmem_exit(leave_launcher, (Datum) 0);
	dnc_slots_lock(true);
	shared()->launcher = MyProcPid;
	shared()->launcher_latch = MyLatch;
	dnc_slots_unlock();
}

/*
 * Keep our processes off a database until dnc_slots_release(), or the end of this session.
 * False: too many statements do so already.
 */
bool
dnc_slots_hold(Oid database)
{
	bool		held = false;

	dnc_slots_lock(true);
	for (int i = 0; i < HOLDS && !held; i++)
	{
		Hold	   *hold = &shared()->holds[i];

		if (hold->pid != 0 && BackendPidGetProc(hold->pid))
			continue;
		hold->pid = MyProcPid;
		hold->database = database;
		held = true;
	}
	dnc_slots_unlock();
	return held;
}

/* End all holds of this session. */
void
dnc_slots_release(void)
{
	dnc_slots_lock(true);
	for (int i = 0; i < HOLDS; i++)
	{
		if (shared()->holds[i].pid == MyProcPid)
			shared()->holds[i].pid = 0;
	}
	dnc_slots_unlock();
	dnc_slots_wake_launcher();
}
