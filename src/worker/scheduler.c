/*-------------------------------------------------------------------------
 *
 * scheduler.c
 *		The scheduler of a database: starts workers when something is due.
 *
 * The scheduler looks only at our own tables, and runs no code of a user.  It looks when a
 * transaction has committed work, when a worker has ended, when the next work is due, and every
 * dnc_fdw.naptime.  Between its looks it has no transaction open.
 *
 * A scheduler remembers nothing that a new one would need: shared memory shows which workers run,
 * and how they have failed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "queue/due.h"
#include "queue/held.h"
#include "queue/table.h"
#include "worker/process.h"
#include "worker/schedule.h"

/* We look so often for old finished writes, in ms. */
#define OLD_EVERY_MS 3600000

/* If a launched process has not come after so many milliseconds, it will not come. */
#define LOST_AFTER_MS 60000

/*
 * We rest so many times as long as a look has taken: a long queue must not keep us looking all
 * day.
 */
#define REST 10

/* The writes that a delivery has left, so that we do not repeat it in vain. */
typedef struct Left
{
	Oid			serverid;
	TimestampTz	ended;
	int64		count;			/* writes that were due at the first look afterwards; -1: no look
								 * yet */
} Left;

typedef struct Scheduler
{
	DncSlot	   *slot;
	MemoryContext context;		/* reset with each look */
	TimestampTz	looked;			/* the end of the last look */
	TimestampTz	next;			/* when the next look is due */
	TimestampTz	rested;			/* the next look is not before that */
	TimestampTz	looked_for_old;	/* 0: never yet */
	bool		committed;		/* a transaction has committed work since the last look */
	List	   *left;			/* of Left *, in TopMemoryContext */
} Scheduler;

PGDLLEXPORT void dnc_scheduler_main(Datum arg);

/* Make the next look due at a time, unless it is due before. */
static void
look_again(Scheduler *scheduler, TimestampTz at)
{
	scheduler->next = Min(scheduler->next, at);
}

/* ----- workers that have ended ----- */

/* The writes that the last delivery to a server has left; made if we know of none. */
static Left *
left_of(Scheduler *scheduler, Oid serverid)
{
	MemoryContext before;
	ListCell   *lc;
	Left	   *left;

	foreach(lc, scheduler->left)
	{
		left = lfirst(lc);
		if (left->serverid == serverid)
			return left;
	}
	before = MemoryContextSwitchTo(TopMemoryContext);
	left = palloc0(sizeof(Left));
	left->serverid = serverid;
	scheduler->left = lappend(scheduler->left, left);
	MemoryContextSwitchTo(before);
	return left;
}

/* Take in the end of a worker; gives back a copy of its slot if a schedule has to know. */
static DncSlot *
take_ended(Scheduler *scheduler, DncSlot *slot)
{
	DncSlot	   *copy = NULL;

	if (slot->kind == DNC_SLOT_DELIVERY && slot->ended && slot->failures == 0 &&
		pg_atomic_read_u32(&slot->work) == 0)
	{
		Left	   *left = left_of(scheduler, slot->subject);

		left->ended = GetCurrentTimestamp();
		left->count = -1;
	}
	if (slot->kind == DNC_SLOT_MIRROR && slot->ended)
	{
		copy = palloc(sizeof(DncSlot));
		*copy = *slot;
	}
	else if (slot->kind == DNC_SLOT_MIRROR || slot->failures == 0)
		dnc_slot_free(slot);
	return copy;
}

/*
 * Free the slots of workers that have ended.  Gives back copies of those of mirrors, whose slots
 * record_ended() frees.
 */
static List *
collect_ended(Scheduler *scheduler)
{
	List	   *mirrors = NIL;

	dnc_slots_lock(true);
	for (int i = 0; i < DNC_SLOTS; i++)
	{
		DncSlot	   *slot = dnc_slot_at(i);
		DncSlot	   *copy;

		if (!slot->taken || slot->kind == DNC_SLOT_SCHEDULER || slot->database != MyDatabaseId)
			continue;
		if (slot->token != 0 && slot->pid == 0 &&
			TimestampDifferenceExceeds(slot->since, GetCurrentTimestamp(), LOST_AFTER_MS))
			dnc_slot_lost(slot);
		if (slot->token != 0 || (!slot->ended && slot->failures > 0))
			continue;
		copy = take_ended(scheduler, slot);
		if (copy)
			mirrors = lappend(mirrors, copy);
	}
	dnc_slots_unlock();
	return mirrors;
}

/* Free the slot of a mirror's refresh that is over. */
static void
free_mirror(Oid source)
{
	DncSlot	   *slot;

	dnc_slots_lock(true);
	slot = dnc_slot_find(DNC_SLOT_MIRROR, MyDatabaseId, source);
	if (slot && slot->token == 0)
		dnc_slot_free(slot);
	dnc_slots_unlock();
}

/*
 * Record the ends of mirrors' refreshes, and free their slots.  If somebody has locked the schedule,
 * we come back later.
 */
static void
record_ended(Scheduler *scheduler, List *mirrors)
{
	ListCell   *lc;

	foreach(lc, mirrors)
	{
		const DncSlot *slot = lfirst(lc);
		DncSlotFailure failure;

		if (!dnc_schedule_lock(slot->subject))
		{
			look_again(scheduler, GetCurrentTimestamp() + USECS_PER_SEC);
			continue;
		}

		strlcpy(failure.sqlstate, slot->sqlstate, sizeof(failure.sqlstate));
		strlcpy(failure.message, slot->message, sizeof(failure.message));
		dnc_schedule_ended(slot->subject, slot->delta, slot->failures > 0 ? &failure : NULL);
		free_mirror(slot->subject);
	}
}

/* ----- starting workers ----- */

/*
 * The slot for a new worker; NULL: the worker runs, or has to wait, or no slot is free.  If the
 * worker has to wait, scheduler->next has the time.  We tell a delivery that runs that there is
 * more to do.
 */
static DncSlot *
slot_to_start(Scheduler *scheduler, DncSlotKind kind, Oid subject)
{
	DncSlot	   *slot;

	dnc_slots_lock(true);
	slot = dnc_slot_find(kind, MyDatabaseId, subject);
	if (slot == NULL)
		slot = dnc_slot_take(kind, MyDatabaseId, subject);
	else if (slot->token != 0)
	{
		if (kind == DNC_SLOT_DELIVERY)
			dnc_slot_wake(slot, DNC_WORK_COMMITTED);
		slot = NULL;
	}
	else if (kind == DNC_SLOT_MIRROR && slot->ended)
	{
		/* The worker has ended since we looked: its end has to be recorded first. */
		look_again(scheduler, GetCurrentTimestamp() + USECS_PER_SEC);
		slot = NULL;
	}
	else if (dnc_slot_has_to_wait(slot, GetCurrentTimestamp()))
	{
		look_again(scheduler, slot->not_before);
		slot = NULL;
	}
	dnc_slots_unlock();
	return slot;
}

/*
 * PostgreSQL has no room for a worker.  A delivery that only waits for more to do gives its
 * place.  For a delivery a mirror does so, too: it goes on later where it was.
 */
static void
make_room(bool for_delivery)
{
	DncSlot	   *victim = NULL;

	dnc_slots_lock(true);
	for (int i = 0; i < DNC_SLOTS; i++)
	{
		DncSlot	   *slot = dnc_slot_at(i);

		if (!slot->taken || slot->kind == DNC_SLOT_SCHEDULER || slot->pid == 0)
			continue;
		if (slot->stop)
		{
			victim = NULL;		/* a worker is giving its place already */
			break;
		}
		if (slot->kind == DNC_SLOT_DELIVERY && slot->idle)
			victim = slot;
		else if (for_delivery && slot->kind == DNC_SLOT_MIRROR && victim == NULL)
			victim = slot;
	}
	if (victim)
		(void) dnc_slot_stop(victim);
	dnc_slots_unlock();
}

/* Would a delivery that has just ended leave the same writes again? */
static bool
is_in_vain(Scheduler *scheduler, const DncQueueDue *due, TimestampTz now)
{
	Left	   *left = left_of(scheduler, due->serverid);
	TimestampTz	until = TimestampTzPlusMilliseconds(left->ended, dnc_naptime);

	if (scheduler->committed || now >= until || now < left->ended)
		return false;
	if (left->count < 0)
		left->count = due->count;
	look_again(scheduler, until);
	return left->count == due->count;
}

/* Start a delivery if writes of a server are due; else look again when they are. */
static void
tend_delivery(Scheduler *scheduler, const DncQueueDue *due)
{
	ForeignServer *server = GetForeignServerExtended(due->serverid, FSV_MISSING_OK);
	TimestampTz	now = GetCurrentTimestamp();
	DncSlot	   *slot;
	char		name[BGW_MAXLEN];

	if (server == NULL)
		return;
	if (due->count == 0)
	{
		look_again(scheduler, due->next);
		return;
	}
	slot = slot_to_start(scheduler, DNC_SLOT_DELIVERY, due->serverid);
	if (slot == NULL || is_in_vain(scheduler, due, now))
		return;
	pg_atomic_write_u32(&slot->work, 0);
	slot->role = InvalidOid;
	snprintf(name, sizeof(name), "dnc_fdw delivery to %s", server->servername);
	if (!dnc_process_launch(slot, "dnc_delivery_main", "dnc_fdw delivery", name))
	{
		make_room(true);
		look_again(scheduler, now + USECS_PER_SEC);
	}
}

/* Forget failed deliveries whose writes wait no more. */
static void
forget_settled(const List *dues)
{
	dnc_slots_lock(true);
	for (int i = 0; i < DNC_SLOTS; i++)
	{
		DncSlot	   *slot = dnc_slot_at(i);
		bool		waits = false;
		ListCell   *lc;

		if (!slot->taken || slot->kind != DNC_SLOT_DELIVERY || slot->database != MyDatabaseId ||
			slot->token != 0)
			continue;
		foreach(lc, dues)
			waits = waits || ((DncQueueDue *) lfirst(lc))->serverid == slot->subject;
		if (!waits)
			dnc_slot_free(slot);
	}
	dnc_slots_unlock();
}

/* Record that a mirror cannot be refreshed as the role of its schedule; false: it can. */
static bool
refuse_role(const DncScheduleDue *due)
{
	DncSlotFailure failure;
	int			sqlstate;
	char	   *objection = dnc_schedule_objection(due->source, due->role, &sqlstate);

	if (objection == NULL)
		return false;
	strlcpy(failure.sqlstate, unpack_sql_state(sqlstate), sizeof(failure.sqlstate));
	strlcpy(failure.message, objection, sizeof(failure.message));
	dnc_schedule_ended(due->source, due->delta, &failure);
	return true;
}

/* Start the refresh of a mirror if it is due; else look again when it is. */
static void
tend_mirror(Scheduler *scheduler, const DncScheduleDue *due)
{
	TimestampTz	now = GetCurrentTimestamp();
	DncSlot	   *slot;
	char		name[BGW_MAXLEN];

	if (due->next > now)
	{
		look_again(scheduler, due->next);
		return;
	}
	if (!dnc_schedule_lock(due->source))
	{
		look_again(scheduler, now + USECS_PER_SEC);
		return;
	}
	slot = slot_to_start(scheduler, DNC_SLOT_MIRROR, due->source);
	if (slot == NULL)
		return;
	if (refuse_role(due))
	{
		free_mirror(due->source);
		return;
	}
	slot->role = due->role;
	slot->delta = due->delta;
	snprintf(name, sizeof(name), "dnc_fdw mirror of %s", get_rel_name(due->source));
	if (dnc_process_launch(slot, "dnc_mirror_main", "dnc_fdw mirror", name))
		dnc_schedule_began(due);
	else
	{
		make_room(false);
		look_again(scheduler, now + USECS_PER_SEC);
	}
}

/* ----- looking ----- */

/* The extension was dropped, or is older than the queue: end, since there is nothing to do here. */
_Noreturn static void
leave_database(void)
{
	PopActiveSnapshot();
	dnc_process_commit();
	dnc_process_fail(ERRCODE_UNDEFINED_OBJECT,
					 "extension \"dnc_fdw\" is not installed in this database, or older than 1.2");
	proc_exit(0);
}

/* Look once for due work, and start workers for it, deliveries first. */
static void
look(Scheduler *scheduler)
{
	List	   *ended = collect_ended(scheduler);
	TimestampTz	now = GetCurrentTimestamp();
	bool		of_old = scheduler->looked_for_old == 0 ||
				  TimestampDifferenceExceeds(scheduler->looked_for_old, now, OLD_EVERY_MS);
	List	   *dues;
	ListCell   *lc;

	record_ended(scheduler, ended);
	dues = dnc_queue_due(of_old);
	foreach(lc, dues)
		tend_delivery(scheduler, lfirst(lc));
	forget_settled(dues);
	dues = dnc_schedule_due();
	foreach(lc, dues)
		tend_mirror(scheduler, lfirst(lc));
	if (of_old)
	{
		dnc_held_warn_of_all();
		scheduler->looked_for_old = now;
	}
}

/*
 * Look once, in a transaction.  If somebody has locked our tables we come back later: that may be
 * DROP EXTENSION, which must not wait for us.
 */
static void
look_in_transaction(Scheduler *scheduler)
{
	MemoryContext before = MemoryContextSwitchTo(scheduler->context);
	TimestampTz	began = GetCurrentTimestamp();

	dnc_process_report("looking for what is due");
	scheduler->next = TimestampTzPlusMilliseconds(began, dnc_naptime);
	dnc_process_begin_transaction();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (!dnc_queue_exists())
		leave_database();
	if (dnc_queue_lock_at_once() && dnc_schedule_lock_at_once())
		look(scheduler);
	PopActiveSnapshot();
	dnc_process_commit();
	dnc_process_report("");
	MemoryContextSwitchTo(before);
	MemoryContextReset(scheduler->context);
	dnc_slot_succeeded(scheduler->slot);
	scheduler->looked = GetCurrentTimestamp();
	scheduler->rested = scheduler->looked + REST * Max(scheduler->looked - began, 0);
}

/* Wait until the next look is due. */
static void
rest(const Scheduler *scheduler)
{
	int			naptime = dnc_naptime;

	while (naptime == dnc_naptime)
	{
		bool		woken = pg_atomic_read_u32(&scheduler->slot->work) != 0;
		TimestampTz	until = woken ? scheduler->rested : Max(scheduler->next, scheduler->rested);
		TimestampTz	now = GetCurrentTimestamp();

		/* If the clock was set back, the times say nothing any more. */
		if (now >= until || now < scheduler->looked)
			return;
		dnc_process_wait((until - now) / 1000 + 1);
	}
}

/* The process of a scheduler. */
void
dnc_scheduler_main(Datum arg)
{
	Scheduler	scheduler = {.slot = dnc_process_begin()};

	dnc_process_connect(scheduler.slot);
	scheduler.context =
		AllocSetContextCreate(TopMemoryContext, "dnc_fdw scheduler", ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		uint32		work = pg_atomic_exchange_u32(&scheduler.slot->work, 0);

		scheduler.committed = (work & DNC_WORK_COMMITTED) != 0;
		look_in_transaction(&scheduler);
		rest(&scheduler);
	}
}
