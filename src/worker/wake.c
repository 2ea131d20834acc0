/*-------------------------------------------------------------------------
 *
 * wake.c
 *		Wakes the scheduler of this database when a transaction has committed.
 *
 * We do all that could fail before COMMIT.  Afterwards we set a flag and a latch in shared
 * memory, which cannot fail.  A prepared transaction wakes nobody: its work is found within
 * dnc_fdw.naptime after COMMIT PREPARED.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "worker/slots.h"
#include "worker/wake.h"

/* The scheduler that this transaction wakes; NULL: none. */
static DncSlot *sleeper = NULL;

/* XactCallback */
static void
at_transaction_event(XactEvent event, void *arg)
{
	if (sleeper == NULL)
		return;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			dnc_slot_wake(sleeper, DNC_WORK_COMMITTED);
			sleeper = NULL;
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			sleeper = NULL;
			break;
		default:
			break;
	}
}

/*
 * This transaction gives the scheduler of this database work when it commits.  Without a
 * scheduler, nobody is woken.
 */
void
dnc_wake_at_commit(void)
{
	static bool	registered = false;

	if (!dnc_slots_exist())
		return;
	if (!registered)
	{
		RegisterXactCallback(at_transaction_event, NULL);
		registered = true;
	}
	dnc_slots_lock(false);
	sleeper = dnc_slot_find(DNC_SLOT_SCHEDULER, MyDatabaseId, InvalidOid);
	dnc_slots_unlock();
}
