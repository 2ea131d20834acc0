/*-------------------------------------------------------------------------
 *
 * slots.h
 *		The background processes of the cluster, in shared memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_WORKER_SLOTS_H
#define DNC_WORKER_SLOTS_H

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/latch.h"

#include "shmem.h"

#define DNC_SLOTS 128
#define DNC_SLOT_MESSAGE 256

typedef enum DncSlotKind
{
	DNC_SLOT_SCHEDULER,			/* of a database */
	DNC_SLOT_DELIVERY,			/* of the queue of a server */
	DNC_SLOT_MIRROR				/* of a foreign table */
} DncSlotKind;

/* The reasons why a process has something to do. */
#define DNC_WORK_COMMITTED 1 /* a transaction or the scheduler has given it work */
#define DNC_WORK_ENDED 2 /* a process that it has started has ended */

/*
 * A process that runs, is about to run, or has ended.  All but work and latch are read and
 * written with the lock held.  But a process reads its own slot without the lock, and a scheduler
 * sets role and delta without it before the launch.
 */
typedef struct DncSlot
{
	bool		taken;
	DncSlotKind	kind;
	Oid			database;		/* InvalidOid: a scheduler whose database does not exist */
	NameData	database_name;	/* a scheduler's, as in dnc_fdw.databases */
	Oid			subject;		/* server or foreign table; InvalidOid for a scheduler */
	Oid			role;			/* the role that connects; InvalidOid: the bootstrap superuser */
	bool		delta;			/* a mirror's pass has mode 'delta' */

	uint32		token;			/* of the launched process; 0: there is none */
	int			pid;			/* 0: the process has not come yet, or there is none */
	TimestampTz	since;			/* when the process was launched, or has ended */
	bool		stop;			/* the process has to end */
	bool		idle;			/* the process only waits for more to do */

	bool		ended;			/* since the last launch */
	int			failures;		/* in a row */
	TimestampTz	not_before;		/* of the next start, after a failure */
	char		sqlstate[6];	/* of the last failure; empty: none */
	char		message[DNC_SLOT_MESSAGE];

	pg_atomic_uint32 work;		/* DNC_WORK_ flags: there is something to do */
	Latch *volatile latch;		/* a process's; NULL: there is none */
} DncSlot;

/* The failure of a process. */
typedef struct DncSlotFailure
{
	char		sqlstate[6];
	char		message[DNC_SLOT_MESSAGE];
} DncSlotFailure;

/* The message to a new process. */
typedef struct DncSlotTicket
{
	int			index;
	uint32		token;
} DncSlotTicket;

extern void dnc_slots_register(void);
extern bool dnc_slots_exist(void);
extern void dnc_slots_lock(bool exclusive);
extern void dnc_slots_unlock(void);
extern DncSlot *dnc_slot_at(int index);
extern DncSlot *dnc_slot_find(DncSlotKind kind, Oid database, Oid subject);
extern DncSlot *dnc_slot_find_scheduler(const char *database_name);
extern DncSlot *dnc_slot_take(DncSlotKind kind, Oid database, Oid subject);
extern void dnc_slot_free(DncSlot *slot);
extern bool dnc_slot_launched(DncSlot *slot, DncSlotTicket *ticket);
extern void dnc_slot_not_launched(DncSlot *slot, const DncSlotFailure *failure);
extern bool dnc_slot_enter(const DncSlotTicket *ticket);
extern void dnc_slot_succeeded(DncSlot *slot);
extern void dnc_slot_set_idle(DncSlot *slot, bool idle);
extern void dnc_slot_leave(DncSlot *slot, const DncSlotFailure *failure);
extern void dnc_slot_lost(DncSlot *slot);
extern bool dnc_slot_has_to_wait(const DncSlot *slot, TimestampTz now);
extern void dnc_slot_fail(DncSlot *slot, const DncSlotFailure *failure);
extern void dnc_slot_forget_failures(DncSlot *slot);
extern void dnc_slot_wake(DncSlot *slot, uint32 work);
extern bool dnc_slot_stop(DncSlot *slot);
extern int	dnc_slots_stop(Oid database);
extern void dnc_slots_enter_launcher(void);
extern int	dnc_slots_launcher(void);
extern void dnc_slots_wake_launcher(void);
extern bool dnc_slots_hold(Oid database);
extern void dnc_slots_release(void);

#endif							/* DNC_WORKER_SLOTS_H */
