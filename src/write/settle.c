/*-------------------------------------------------------------------------
 *
 * settle.c
 *		What becomes of pending writes: which of them stand, and which are sent.
 *
 * The rules are those of command visibility.  A removal takes away what its scan could
 * see, so it takes back additions of earlier commands that were there by then.  Any other
 * addition stays, and while it stands no removal of the same identifier is sent: all
 * additions go out before the first removal, which would take the person off the list.
 *
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "write/settle.h"

/* What is added under a key that a removal has. */
typedef struct KeyWrites
{
	const char *key;
	bool		added;
	CommandId	last_command;	/* the highest of the additions' commands */
	int			last_index;		/* likewise */
	const DncWrite *left_out;	/* a removal that is not sent; NULL: there is none */
} KeyWrites;

/* ----- what becomes of the writes ----- */

/* Does a removal have all that it takes to be sent? */
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
 * Look at the removals before this one that were seen by its scan, or were made by its
 * statement.  Is it one of them once more (*repeats)?  Do they hide what the list has
 * from its scan (*hidden)?
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
 * A removal takes back the additions that its scan has seen.  It has to be sent as well if
 * the entry was on the list.  If the list had it with other values, then the scan has seen
 * these values, not the addition, and that stays.
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
 * What has become of the writes of a collection, as a command sees them: DncPendingFate by
 * index, palloc'd in the current context.
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

/* ----- no removal of what is added ----- */

/*
 * The text that is equal for two writes whose entries block the same contacts; palloc'd.
 * It is the provider's identity here, with ASCII letters in lower case if it folds them, and
 * empty for a removal that does not say whom it is about.
 */
static char *
match_key(const DncWrite *write)
{
	const DncProvider *provider = write->target->options->provider;
	DncIdentity identity;
	StringInfoData key;

	initStringInfo(&key);
	if (!dnc_write_identity(write, &identity))
		return key.data;
	for (int i = 0; i < provider->nidentity; i++)
	{
		for (const char *c = identity.values[i]; *c; c++)
			appendStringInfoChar(&key, provider->folds_case
								 ? (char) pg_ascii_tolower((unsigned char) *c) : *c);
		appendStringInfoChar(&key, '\n');
	}
	return key.data;
}

/* HashValueFunc for KeyWrites. */
static uint32
hash_key(const void *key, Size size)
{
	const char *text = *(const char *const *) key;

	return hash_bytes((const unsigned char *) text, (int) strlen(text));
}

/* HashCompareFunc for KeyWrites; 0: they are equal. */
static int
compare_keys(const void *one, const void *other, Size size)
{
	return strcmp(*(const char *const *) one, *(const char *const *) other);
}

/* Is a write of this action one that still stands? */
static inline bool
stands(const DncPendingWrite *waiting, DncAction action)
{
	return waiting->write.action == action && !waiting->overtaken;
}

/*
 * The keys of the removals that stand, in the current context, with the last additions
 * under them; NULL: no removal stands.
 */
static HTAB *
gather_keys(const DncPending *pending)
{
	HASHCTL		ctl = {.keysize = sizeof(char *), .entrysize = sizeof(KeyWrites),
		.hash = hash_key, .match = compare_keys, .hcxt = CurrentMemoryContext};
	HTAB	   *keys = NULL;

	for (int i = 0; i < pending->count; i++)
	{
		KeyWrites  *writes;
		char	   *key;
		bool		found;

		if (!stands(dnc_pending_at(pending, i), DNC_ACTION_REMOVE))
			continue;
		if (keys == NULL)
			keys = hash_create("dnc_fdw removed keys", 64, &ctl,
							   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
		key = match_key(pending->writes[i]);
		writes = hash_search(keys, &key, HASH_ENTER, &found);
		if (!found)
			*writes = (KeyWrites) {.key = key};
	}
	return keys;
}

/* The entry of a write's key; NULL: no removal has it. */
static KeyWrites *
find_key(HTAB *keys, const DncWrite *write)
{
	char	   *key = match_key(write);
	KeyWrites  *writes = hash_search(keys, &key, HASH_FIND, NULL);

	pfree(key);
	return writes;
}

/* Take note of an addition that stands.  What does not say whom it is about may be about it. */
static void
note_addition(KeyWrites *writes, const DncPendingWrite *addition)
{
	if (writes == NULL)
		return;
	writes->added = true;
	writes->last_command = Max(writes->last_command, addition->command);
	writes->last_index = Max(writes->last_index, addition->index);
}

/* Take note of the additions that stand. */
static void
note_additions(HTAB *keys, const DncPending *pending)
{
	const char *unknown = "";
	KeyWrites  *any = hash_search(keys, &unknown, HASH_FIND, NULL);

	for (int i = 0; i < pending->count; i++)
	{
		const DncPendingWrite *waiting = dnc_pending_at(pending, i);

		CHECK_FOR_INTERRUPTS();
		if (!stands(waiting, DNC_ACTION_ADD))
			continue;
		note_addition(find_key(keys, &waiting->write), waiting);
		note_addition(any, waiting);
	}
}

/* Leave out the removals whose scans have not seen an addition under the same key. */
static void
leave_out_removals(HTAB *keys, DncPending *pending)
{
	for (int i = 0; i < pending->count; i++)
	{
		DncPendingWrite *waiting = dnc_pending_at(pending, i);
		KeyWrites  *writes;

		if (!stands(waiting, DNC_ACTION_REMOVE))
			continue;
		writes = find_key(keys, &waiting->write);
		if (writes->added &&
			(writes->last_command >= waiting->seen || writes->last_index > waiting->index))
		{
			waiting->overtaken = true;
			writes->left_out = &waiting->write;
		}
	}
}

/* Leave out the additions that the API would refuse, since their removal is left out. */
static void
leave_out_refused(HTAB *keys, DncPending *pending)
{
	for (int i = 0; i < pending->count; i++)
	{
		DncPendingWrite *waiting = dnc_pending_at(pending, i);
		const DncOptions *options = waiting->write.target->options;
		KeyWrites  *writes;

		if (options->provider->add.unchanged_status == 0 || !stands(waiting, DNC_ACTION_ADD))
			continue;
		writes = find_key(keys, &waiting->write);
		if (writes && writes->left_out &&
			dnc_target_is_same_list(options, writes->left_out->target->options))
			waiting->overtaken = true;
	}
}

/*
 * Mark the writes that need not be sent, or must not be: what was taken back or repeated,
 * and removals of what is added.
 */
void
dnc_settle_mark_overtaken(DncPending *pending)
{
	MemoryContext context = AllocSetContextCreate(pending->context, "dnc_fdw fates",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	uint8	   *fates = dnc_settle_fates(pending, InvalidCommandId);
	HTAB	   *keys;

	for (int i = 0; i < pending->count; i++)
		dnc_pending_at(pending, i)->overtaken = fates[i] != DNC_FATE_STANDS;
	keys = gather_keys(pending);
	if (keys)
	{
		note_additions(keys, pending);
		leave_out_removals(keys, pending);
		leave_out_refused(keys, pending);
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
}
