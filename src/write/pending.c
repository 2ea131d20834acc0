/*-------------------------------------------------------------------------
 *
 * pending.c
 *		The writes of a transaction to one account, in their order.
 *
 * The order matters among the writes on one entry of the list.  Each write therefore
 * links to the previous write on the same entry, and a hash table, keyed by identity,
 * holds the latest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "write/pending.h"

/* An element of the hash table.  The texts of its identity belong to the oldest write. */
typedef struct LastWrite
{
	DncIdentity identity;
	DncPendingWrite *waiting;
} LastWrite;

/* An empty collection, in a context of its own below parent. */
DncPending *
dnc_pending_make(MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "dnc_fdw pending", ALLOCSET_SMALL_SIZES);
	DncPending *pending = MemoryContextAllocZero(context, sizeof(DncPending));

	pending->context = context;
	pending->write_context = GenerationContextCreate(context, "dnc_fdw pending writes",
													 ALLOCSET_DEFAULT_SIZES);
	return pending;
}

/* Make room for one more write.  Raises 54000 where an int cannot count the writes any more. */
static void
ensure_room(DncPending *pending, const DncTarget *target)
{
	int			capacity = Max(pending->capacity * 2, 64);
	Size		size = (Size) capacity * sizeof(DncWrite *);

	if (pending->count < pending->capacity)
		return;
	if (pending->capacity > INT_MAX / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many writes to server \"%s\" in one transaction",
						target->options->server_name)));
	pending->writes = pending->writes ? repalloc_huge(pending->writes, size)
		: MemoryContextAllocHuge(pending->context, size);
	pending->capacity = capacity;
}

/* Link a write to the previous write on the same entry, and make it the last write there. */
static void
link_write(DncPending *pending, DncPendingWrite *waiting)
{
	HASHCTL		ctl = {.keysize = sizeof(DncIdentity), .entrysize = sizeof(LastWrite),
		.hash = dnc_write_identity_hash, .match = dnc_write_identity_compare,
	.hcxt = pending->context};
	DncIdentity identity;
	LastWrite  *last;
	bool		found;

	if (!dnc_write_identity(&waiting->write, &identity))
		return;
	if (pending->last == NULL)
		pending->last = hash_create("dnc_fdw last writes", 64, &ctl,
									HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	last = hash_search(pending->last, &identity, HASH_ENTER, &found);
	waiting->previous = found ? last->waiting : NULL;
	last->waiting = waiting;
}

/*
 * Put a write at the end of a collection.  values are in the order of the call's members, in the
 * database's encoding; command is the command that makes the write.  Raises the errors of
 * dnc_write_make(), and 54000.
 */
DncPendingWrite *
dnc_pending_append(DncPending *pending, const DncTarget *target, DncAction action,
				   DncMemberValues values, CommandId command)
{
	DncWrite   *write = dnc_write_make(pending->write_context, offsetof(DncPendingWrite, write),
									   target, action, values);
	DncPendingWrite *waiting = dnc_pending_of(write);

	waiting->command = command;
	waiting->nest_level = GetCurrentTransactionNestLevel();
	ensure_room(pending, target);
	link_write(pending, waiting);
	waiting->index = pending->count;
	pending->writes[pending->count++] = write;
	pending->removals += action == DNC_ACTION_REMOVE;
	return waiting;
}

/* Take the last write off a collection, and forget it. */
void
dnc_pending_drop_last(DncPending *pending)
{
	DncPendingWrite *waiting = dnc_pending_at(pending, --pending->count);
	DncIdentity identity;

	if (dnc_write_identity(&waiting->write, &identity))
	{
		if (waiting->previous)
			((LastWrite *) hash_search(pending->last, &identity, HASH_FIND, NULL))->waiting =
				waiting->previous;
		else
			hash_search(pending->last, &identity, HASH_REMOVE, NULL);
	}
	pending->removals -= waiting->write.action == DNC_ACTION_REMOVE;
	pfree(waiting);
}

/* Forget all writes of a collection; they were sent. */
void
dnc_pending_clear(DncPending *pending)
{
	if (pending->last)
		hash_destroy(pending->last);
	pending->last = NULL;
	pending->count = 0;
	pending->removals = 0;
	pending->sent++;
	MemoryContextReset(pending->write_context);
}

/* How many bytes a write takes, without its holder's members in front of it. */
static Size
write_size(const DncWrite *write)
{
	const char *values[DNC_MAX_MEMBERS];
	Size		size = offsetof(DncWrite, text);

	dnc_write_unpack(write, values);
	for (int i = 0; i < DNC_MAX_MEMBERS; i++)
		size += values[i] ? strlen(values[i]) + 1 : 0;
	return size;
}

/*
 * Forget the writes to a target; they were additions, and were sent.  The other writes keep their
 * order.
 */
void
dnc_pending_forget_target(DncPending *pending, const DncTarget *target)
{
	MemoryContext sent = pending->write_context;
	DncWrite  **writes = pending->writes;
	int			count = pending->count;

	pending->sent++;
	pending->write_context = GenerationContextCreate(pending->context, "dnc_fdw pending writes",
													 ALLOCSET_DEFAULT_SIZES);
	if (pending->last)
		hash_destroy(pending->last);
	pending->last = NULL;
	pending->count = 0;
	for (int i = 0; i < count; i++)
	{
		Size		size = offsetof(DncPendingWrite, write) + write_size(writes[i]);
		DncPendingWrite *waiting;

		if (writes[i]->target == target)
			continue;
		waiting = MemoryContextAlloc(pending->write_context, size);
		memcpy(waiting, dnc_pending_of(writes[i]), size);
		waiting->previous = NULL;
		link_write(pending, waiting);
		waiting->index = pending->count;
		pending->writes[pending->count++] = &waiting->write;
	}
	MemoryContextDelete(sent);
}

/* The last write on an entry of the list; NULL: none. */
DncPendingWrite *
dnc_pending_find(const DncPending *pending, const DncIdentity *identity)
{
	LastWrite  *last = pending->last ? hash_search(pending->last, identity, HASH_FIND, NULL) : NULL;

	return last ? last->waiting : NULL;
}

/* Is the entry being added, by this write and the earlier writes on it? */
static bool
is_being_added(const DncPendingWrite *waiting)
{
	CommandId	taken_back = 0; /* additions of commands before this one are taken back */

	for (; waiting; waiting = waiting->previous)
	{
		CHECK_FOR_INTERRUPTS();
		if (waiting->write.action == DNC_ACTION_REMOVE)
			taken_back = Max(taken_back, waiting->seen);
		else if (waiting->command >= taken_back)
			return true;
	}
	return false;
}

/*
 * Does a write repeat an earlier one of its collection?  It may add an entry that is being added
 * already, or remove an entry that is being removed.
 */
bool
dnc_pending_repeats(const DncPendingWrite *waiting)
{
	if (waiting->write.action == DNC_ACTION_ADD)
		return is_being_added(waiting->previous);
	for (const DncPendingWrite *before = waiting->previous; before; before = before->previous)
	{
		CHECK_FOR_INTERRUPTS();
		/*
		 * A removal that the scan has seen has hidden the entry, so the scan has found an
		 * addition.
		 */
		if (before->write.action == DNC_ACTION_REMOVE
			? before->command >= waiting->seen &&
			dnc_write_removes_same(&before->write, &waiting->write)
			: dnc_pending_has_seen(waiting, before))
			return before->write.action == DNC_ACTION_REMOVE;
	}
	return false;
}

/* Has the scan of a removal seen waiting additions of its entry? */
bool
dnc_pending_takes_back(const DncPendingWrite *removal)
{
	for (const DncPendingWrite *before = removal->previous; before; before = before->previous)
	{
		CHECK_FOR_INTERRUPTS();
		if (before->write.action == DNC_ACTION_ADD && dnc_pending_has_seen(removal, before))
			return true;
	}
	return false;
}
