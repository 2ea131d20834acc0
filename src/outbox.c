/*-------------------------------------------------------------------------
 *
 * outbox.c
 *		This transaction's waiting writes.
 *
 * A write is put here when its statement runs, checked; nothing is sent
 * before COMMIT.  ROLLBACK, ROLLBACK TO SAVEPOINT and errors drop what they
 * take back.  What happens at COMMIT is delivery.c's job.
 *
 * Entries of a subtransaction are always the last ones of their queue: so its
 * abort is a matter of taking entries off the end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "credential.h"
#include "delivery.h"
#include "outbox.h"

/* The whole of it lives in one context below the transaction's. */
typedef struct DncOutbox
{
	MemoryContext context;
	MemoryContext entry_context;
	DncQueue   *queues;
	DncTarget  *targets;
	HTAB	   *last;			/* by key: the last waiting write on it */
} DncOutbox;

/* An element of the hash table: the key is what the entry's removal names. */
typedef struct KeyEntry
{
	DncEntry   *entry;
} KeyEntry;

/* This transaction's; NULL: it has written nothing. */
static DncOutbox *outbox = NULL;

/* The call that an entry is sent with. */
const DncWriteCall *
dnc_outbox_write_call(const DncEntry *entry)
{
	const DncProvider *provider = entry->target->options->provider;

	return entry->action == DNC_ACTION_ADD ? &provider->add : &provider->remove;
}

/* Spread an entry's values out to values[DNC_MAX_MEMBERS], NULL where it has none. */
void
dnc_outbox_unpack(const DncEntry *entry, const char **values)
{
	const char *text = entry->text;

	for (int i = 0; i < DNC_MAX_MEMBERS; i++)
	{
		values[i] = NULL;
		if (entry->present & (1 << i))
		{
			values[i] = text;
			text += strlen(text) + 1;
		}
	}
}

/* An entry's value of a column; NULL: it has none. */
const char *
dnc_outbox_value(const DncEntry *entry, DncColumn column)
{
	const DncWriteCall *write = dnc_outbox_write_call(entry);
	const char *values[DNC_MAX_MEMBERS];

	dnc_outbox_unpack(entry, values);
	for (int i = 0; write->members[i].name; i++)
	{
		if (write->members[i].column == column)
			return values[i];
	}
	return NULL;
}

/* Does the entry carry all that a removal names an entry by? */
static bool
has_key(const DncEntry *entry)
{
	const DncWriteCall *remove = &entry->target->options->provider->remove;

	for (int i = 0; remove->members[i].name; i++)
	{
		if (dnc_outbox_value(entry, remove->members[i].column) == NULL)
			return false;
	}
	return true;
}

/* HashValueFunc of outbox->last. */
static uint32
hash_key(const void *key, Size size)
{
	const DncEntry *entry = ((const KeyEntry *) key)->entry;
	const DncWriteCall *remove = &entry->target->options->provider->remove;
	uint32		hash = hash_combine(entry->target->queue->serverid, entry->target->userid);

	for (int i = 0; remove->members[i].name; i++)
	{
		const char *value = dnc_outbox_value(entry, remove->members[i].column);

		hash = hash_combine(hash, hash_bytes((const unsigned char *) value, strlen(value)));
	}
	return hash;
}

/* HashCompareFunc of outbox->last: 0 where both name the same list entry. */
static int
compare_keys(const void *key1, const void *key2, Size size)
{
	const DncEntry *one = ((const KeyEntry *) key1)->entry;
	const DncEntry *other = ((const KeyEntry *) key2)->entry;
	const DncWriteCall *remove = &one->target->options->provider->remove;

	/* Another role may speak for another account, with a list of its own. */
	if (one->target->queue != other->target->queue ||
		one->target->userid != other->target->userid)
		return 1;
	for (int i = 0; remove->members[i].name; i++)
	{
		DncColumn	column = remove->members[i].column;

		if (strcmp(dnc_outbox_value(one, column), dnc_outbox_value(other, column)) != 0)
			return 1;
	}
	return 0;
}

/* Two-phase commit would promise what can only be known once it was sent. */
static void
refuse_prepare(void)
{
	for (DncQueue *queue = outbox->queues; queue; queue = queue->next)
	{
		if (queue->count > 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that has written to server \"%s\"",
							queue->entries[0]->target->options->server_name),
					 errdetail("Its writes are sent at COMMIT, and can fail then."),
					 errhint("Use COMMIT, or leave the foreign table out of this transaction.")));
	}
}

/* XactCallback. */
static void
at_transaction_event(XactEvent event, void *arg)
{
	if (outbox == NULL)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			dnc_delivery_send(outbox->queues, outbox->context);
			break;
		case XACT_EVENT_PRE_PREPARE:
			refuse_prepare();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			outbox = NULL;		/* its memory goes with the transaction's */
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
	}
}

/* Take the last entry off a queue, and forget it. */
static void
drop_last(DncQueue *queue)
{
	DncEntry   *entry = queue->entries[--queue->count];

	if (has_key(entry))
	{
		KeyEntry	key = {entry};

		if (entry->previous)
		{
			KeyEntry   *found = hash_search(outbox->last, &key, HASH_FIND, NULL);

			found->entry = entry->previous;
		}
		else
			hash_search(outbox->last, &key, HASH_REMOVE, NULL);
	}
	pfree(entry);
}

/* SubXactCallback: drop what is taken back, hand on what is kept. */
static void
at_subtransaction_event(SubXactEvent event, SubTransactionId subid, SubTransactionId parentid,
						void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (outbox == NULL)
		return;
	for (DncQueue *queue = outbox->queues; queue; queue = queue->next)
	{
		if (event == SUBXACT_EVENT_ABORT_SUB)
		{
			while (queue->count > 0 && queue->entries[queue->count - 1]->nest_level >= level)
				drop_last(queue);
		}
		else if (event == SUBXACT_EVENT_COMMIT_SUB)
		{
			for (int64 i = queue->count - 1; i >= 0 && queue->entries[i]->nest_level >= level; i--)
				queue->entries[i]->nest_level = level - 1;
		}
	}
}

/* Make this transaction's outbox. */
static void
ensure_outbox(void)
{
	static bool registered = false;
	HASHCTL		ctl = {.keysize = sizeof(KeyEntry), .entrysize = sizeof(KeyEntry),
	.hash = hash_key, .match = compare_keys};
	MemoryContext context;
	DncOutbox  *box;

	if (outbox)
		return;
	if (!registered)
	{
		RegisterXactCallback(at_transaction_event, NULL);
		RegisterSubXactCallback(at_subtransaction_event, NULL);
		registered = true;
	}
	context = AllocSetContextCreate(TopTransactionContext, "dnc_fdw outbox",
									ALLOCSET_DEFAULT_SIZES);
	box = MemoryContextAllocZero(context, sizeof(DncOutbox));
	box->context = context;
	box->entry_context = GenerationContextCreate(context, "dnc_fdw waiting writes",
												 ALLOCSET_DEFAULT_SIZES);
	ctl.hcxt = context;
	box->last = hash_create("dnc_fdw keys", 256, &ctl,
							HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	outbox = box;
}

/* The queue of a server. */
static DncQueue *
find_queue(Oid serverid)
{
	DncQueue  **link = &outbox->queues;

	while (*link && (*link)->serverid != serverid)
		link = &(*link)->next;
	if (*link == NULL)
	{
		*link = MemoryContextAllocZero(outbox->context, sizeof(DncQueue));
		(*link)->serverid = serverid;
	}
	return *link;
}

/*
 * Where writes to a table go, as a user; lives as long as the transaction.
 * Raises what dnc_credential_add() raises: there has to be a token before
 * anything waits.
 */
DncTarget *
dnc_outbox_target(Oid serverid, Oid relid, Oid userid)
{
	MemoryContext before;
	DncOptions *options;
	DncTarget  *target;

	ensure_outbox();
	for (target = outbox->targets; target; target = target->next)
	{
		if (target->relid == relid && target->userid == userid)
			return target;
	}
	before = MemoryContextSwitchTo(outbox->context);
	options = dnc_options_load(serverid, relid);
	dnc_credential_add(options, userid);
	target = palloc0(sizeof(DncTarget));
	target->queue = find_queue(serverid);
	target->relid = relid;
	target->userid = userid;
	target->options = options;
	target->next = outbox->targets;
	outbox->targets = target;
	MemoryContextSwitchTo(before);
	return target;
}

/* Pack a write into an entry, palloc'd in the outbox. */
static DncEntry *
pack_entry(DncTarget *target, DncAction action, const DncWriteCall *write, DncMemberValues values)
{
	Size		size = offsetof(DncEntry, text);
	DncEntry   *entry;
	char	   *text;

	for (int i = 0; write->members[i].name; i++)
		size += values[i] ? strlen(values[i]) + 1 : 0;
	entry = MemoryContextAlloc(outbox->entry_context, size);
	entry->target = target;
	entry->previous = NULL;
	entry->nest_level = GetCurrentTransactionNestLevel();
	entry->action = action;
	entry->present = 0;
	entry->skip_listed = false;
	text = entry->text;
	for (int i = 0; write->members[i].name; i++)
	{
		if (values[i] == NULL)
			continue;
		entry->present |= 1 << i;
		strcpy(text, values[i]);
		text += strlen(text) + 1;
	}
	return entry;
}

/* Put an entry at the end of its queue. */
static void
append_entry(DncEntry *entry)
{
	DncQueue   *queue = entry->target->queue;

	if (queue->count == queue->capacity)
	{
		int64		capacity = Max(queue->capacity * 2, 64);
		Size		size = capacity * sizeof(DncEntry *);

		queue->entries = queue->entries ? repalloc_huge(queue->entries, size)
			: MemoryContextAllocHuge(outbox->context, size);
		queue->capacity = capacity;
	}
	if (has_key(entry))
	{
		KeyEntry	key = {entry};
		bool		found;
		KeyEntry   *last = hash_search(outbox->last, &key, HASH_ENTER, &found);

		entry->previous = found ? last->entry : NULL;
		last->entry = entry;
	}
	queue->entries[queue->count++] = entry;
}

/*
 * Let an addition wait for COMMIT: values by the members of the add call.
 * skip_listed: that the entry is on the list already is no error, even where
 * the API makes it one.
 */
void
dnc_outbox_add(DncTarget *target, DncMemberValues values, bool skip_listed)
{
	DncEntry   *entry = pack_entry(target, DNC_ACTION_ADD, &target->options->provider->add,
								   values);

	entry->skip_listed = skip_listed;
	append_entry(entry);
}

/*
 * Let a removal wait for COMMIT: values by the members of the remove call.
 * False: the entry's removal is waiting already, so there is nothing more to
 * remove.
 */
bool
dnc_outbox_remove(DncTarget *target, DncMemberValues values)
{
	DncEntry   *entry = pack_entry(target, DNC_ACTION_REMOVE, &target->options->provider->remove,
								   values);
	KeyEntry	key = {entry};
	KeyEntry   *last = hash_search(outbox->last, &key, HASH_FIND, NULL);

	if (last && last->entry->action == DNC_ACTION_REMOVE)
	{
		pfree(entry);
		return false;
	}
	append_entry(entry);
	return true;
}
