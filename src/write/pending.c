/*-------------------------------------------------------------------------
 *
 * pending.c
 *		The writes of a transaction or statement to one server, in their order.
 *
 * The order matters among the writes on one entry of the list.  Each write therefore
 * links to the previous write on the same entry, and a hash table, keyed by identity,
 * holds the latest.  We see from these links which writes the transaction itself would
 * read, and which ones need not be sent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "utils/memutils.h"

#include "write/pending.h"

/* An element of the hash table.  The texts of its identity are the oldest write's. */
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

/* Make room for one more write.  Raises 54000 where an int cannot count them any more. */
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

/* Link a write to the previous one on the same entry, and make it the last one there. */
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
 * Put a write at the end of a collection: values in the order of the members of its
 * call, in the database's encoding; command is the one that makes it.  Raises what
 * dnc_write_make() raises, and 54000.
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
	pfree(waiting);
}

/* Forget all writes of a collection. */
void
dnc_pending_clear(DncPending *pending)
{
	if (pending->last)
		hash_destroy(pending->last);
	pending->last = NULL;
	pending->count = 0;
	MemoryContextReset(pending->write_context);
}

/* The last write on an entry of the list; NULL: none. */
DncPendingWrite *
dnc_pending_find(const DncPending *pending, const DncIdentity *identity)
{
	LastWrite  *last = pending->last ? hash_search(pending->last, identity, HASH_FIND, NULL) : NULL;

	return last ? last->waiting : NULL;
}

/*
 * Does a write repeat an earlier one of its collection: the addition of an entry that is
 * being added already, or the removal of one that is being removed?
 */
bool
dnc_pending_repeats(const DncPendingWrite *waiting)
{
	const DncPendingWrite *before = waiting->previous;

	if (waiting->write.action == DNC_ACTION_ADD)
		return before && before->write.action == DNC_ACTION_ADD;
	for (; before && before->write.action == DNC_ACTION_REMOVE; before = before->previous)
	{
		if (dnc_write_removes_same(&before->write, &waiting->write))
			return true;
	}
	return false;
}

/* Mark the writes that a removal makes needless, or the removal itself. */
static void
mark_for_removal(DncPendingWrite *removal)
{
	DncPendingWrite *before = removal->previous;
	bool		listed = before == NULL || before->write.action == DNC_ACTION_REMOVE;

	for (; before && before->write.action == DNC_ACTION_ADD; before = before->previous)
	{
		before->overtaken = true;
		listed = listed || before->listed;
	}
	if (!listed)
		removal->overtaken = true;
	for (; before && before->write.action == DNC_ACTION_REMOVE; before = before->previous)
	{
		if (!before->overtaken && dnc_write_removes_same(&before->write, &removal->write))
			removal->overtaken = true;
	}
}

/*
 * Mark the writes that need not be sent.  An addition that a later removal takes back
 * is one, and so is that removal, unless a scan has seen the entry on the list.  The
 * removal of an entry that is being removed already is another.
 */
void
dnc_pending_mark_overtaken(DncPending *pending)
{
	for (int i = 0; i < pending->count; i++)
		dnc_pending_at(pending, i)->overtaken = false;
	for (int i = 0; i < pending->count; i++)
	{
		DncPendingWrite *waiting = dnc_pending_at(pending, i);

		if (waiting->write.action == DNC_ACTION_REMOVE)
			mark_for_removal(waiting);
	}
}

/*
 * Mark them, and take them out of the collection.  Then pending->writes is what has to
 * be sent.  Nothing more can be appended, and the collection can only be cleared or
 * freed: links and indexes are those of before.
 */
void
dnc_pending_leave_out_overtaken(DncPending *pending)
{
	int			count = 0;

	dnc_pending_mark_overtaken(pending);
	for (int i = 0; i < pending->count; i++)
	{
		if (!dnc_pending_at(pending, i)->overtaken)
			pending->writes[count++] = pending->writes[i];
	}
	pending->count = count;
}
