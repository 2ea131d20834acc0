/*-------------------------------------------------------------------------
 *
 * settle.c
 *		The fate of pending writes: which of them stand, and which are sent.
 *
 * The rules are those of command visibility.  A removal takes away the entries that its scan
 * could see.  So it takes back additions of earlier commands that were there by then.  Any other
 * addition stays, and protect.c keeps back removals that would undo it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "write/protect.h"
#include "write/settle.h"

/* ----- the fate of the writes ----- */

/* Does a removal have all values that its request needs? */
static bool
can_be_sent(const DncWrite *removal)
{
	const DncWriteCall *call = dnc_write_call(removal);

	for (int i = 0; call->members[i].name; i++)
	{
		if (call->members[i].required && !(removal->present & (1 << i)))
			return false;
	}
	return true;
}

/*
 * Look at the earlier removals of the same identity.  *repeats: one that stands removes the same
 * entry.  *hidden: one that the scan has seen hides the listed entry from it.
 */
static void
look_at_removals(const DncPendingWrite *removal, const uint8 *fates, bool *repeats, bool *hidden)
{
	*repeats = *hidden = false;
	for (const DncPendingWrite *before = removal->previous; before; before = before->previous)
	{
		CHECK_FOR_INTERRUPTS();
		if (before->write.action != DNC_ACTION_REMOVE)
			continue;
		if (fates[before->index] == DNC_FATE_STANDS &&
			dnc_write_removes_same(&before->write, &removal->write))
			*repeats = true;
		if ((fates[before->index] == DNC_FATE_STANDS || fates[before->index] == DNC_FATE_SPARES) &&
			before->command < removal->seen)
			*hidden = true;
	}
}

/*
 * A removal takes back the additions that its scan has seen.  We have to send it as well if the
 * entry was on the list.  If the list had the entry with other values, then the scan has seen
 * these values, not the addition, and the addition stays.
 */
static void
decide_removal(const DncPendingWrite *removal, uint8 *fates)
{
	bool		repeats;
	bool		hidden;
	bool		took = false;
	bool		listed = false;
	bool		spares = false;

	look_at_removals(removal, fates, &repeats, &hidden);
	for (const DncPendingWrite *before = removal->previous; before; before = before->previous)
	{
		CHECK_FOR_INTERRUPTS();
		if (before->write.action != DNC_ACTION_ADD || !dnc_pending_has_seen(removal, before) ||
			fates[before->index] != DNC_FATE_STANDS)
			continue;
		if (before->differs && !hidden && !removal->by_key)
			spares = true;
		else
		{
			fates[before->index] = DNC_FATE_OVERTAKEN;
			took = true;
			listed = listed || before->listed;
		}
	}
	if (spares)
		fates[removal->index] = DNC_FATE_SPARES;
	else if (repeats ||
			 (!removal->by_key && ((took && !listed) || !can_be_sent(&removal->write))))
		fates[removal->index] = DNC_FATE_OVERTAKEN;
}

/*
 * The fates of the writes of a collection, as a command sees them: DncPendingFate by index,
 * palloc'd in the current context.
 */
uint8 *
dnc_settle_fates(const DncPending *pending, CommandId command)
{
	uint8	   *fates = MemoryContextAllocHuge(CurrentMemoryContext, Max(pending->count, 1));

	for (int i = 0; i < pending->count; i++)
		fates[i] = dnc_pending_at(pending, i)->command < command
			? DNC_FATE_STANDS : DNC_FATE_UNSEEN;
	for (int i = 0; i < pending->count; i++)
	{
		const DncPendingWrite *waiting = dnc_pending_at(pending, i);

		if (waiting->write.action == DNC_ACTION_REMOVE && fates[i] == DNC_FATE_STANDS)
			decide_removal(waiting, fates);
	}
	return fates;
}

/* ----- which of them are sent ----- */

/*
 * Leave out the additions that ON CONFLICT DO NOTHING has found superfluous, where the addition
 * that made them so still stands.
 */
static void
leave_out_repeated(DncPending *pending)
{
	bool	   *added = MemoryContextAllocHuge(CurrentMemoryContext, Max(pending->count, 1));

	for (int i = 0; i < pending->count; i++)
	{
		DncPendingWrite *waiting = dnc_pending_at(pending, i);
		bool		before = waiting->previous && added[waiting->previous->index];

		CHECK_FOR_INTERRUPTS();
		if (before && waiting->repeated)
			waiting->overtaken = true;
		added[i] = before || (waiting->write.action == DNC_ACTION_ADD && !waiting->overtaken);
	}
}

/*
 * Mark the writes that need not be sent, or must not be: those that were taken back or are
 * repeated, and removals of persons whom the transaction adds.
 */
void
dnc_settle_mark_overtaken(DncPending *pending)
{
	MemoryContext context = AllocSetContextCreate(pending->context, "dnc_fdw fates",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	uint8	   *fates = dnc_settle_fates(pending, InvalidCommandId);

	for (int i = 0; i < pending->count; i++)
		dnc_pending_at(pending, i)->overtaken = fates[i] != DNC_FATE_STANDS;
	dnc_protect_added(pending);
	leave_out_repeated(pending);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
}
