/*-------------------------------------------------------------------------
 *
 * pending.c
 *		Writes to a server, in the order in which they were made.
 *
 * What matters is the order of the writes on one and the same entry of the
 * list: so each write knows the one before it on that entry, and a hash table
 * knows the last.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "write/pending.h"

/* An element of the hash table.  The key's texts are the oldest entry's. */
typedef struct LastWrite
{
	DncKey		key;
	DncEntry   *entry;
} LastWrite;

/* The call that an entry is sent with. */
const DncWriteCall *
dnc_entry_call(const DncEntry *entry)
{
	const DncProvider *provider = entry->target->options->provider;

	return entry->action == DNC_ACTION_ADD ? &provider->add : &provider->remove;
}

/* Spread an entry's values out to values[DNC_MAX_MEMBERS], UTF-8, NULL where it has none. */
void
dnc_entry_unpack(const DncEntry *entry, const char **values)
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

/* An entry's value of a column, UTF-8; NULL: it has none. */
const char *
dnc_entry_value(const DncEntry *entry, DncColumn column)
{
	const DncWriteCall *write = dnc_entry_call(entry);
	const char *values[DNC_MAX_MEMBERS];

	dnc_entry_unpack(entry, values);
	for (int i = 0; write->members[i].name; i++)
	{
		if (write->members[i].column == column)
			return values[i];
	}
	return NULL;
}

/*
 * What tells the list entry that is written to; its texts are the entry's own.
 * False: the write does not say.
 */
bool
dnc_entry_key(const DncEntry *entry, DncKey *key)
{
	const DncOptions *options = entry->target->options;
	const DncProvider *provider = options->provider;

	memset(key, 0, sizeof(DncKey));
	key->account = options->mapping;
	key->folds_case = provider->folds_case;
	for (int i = 0; i < provider->nidentity; i++)
	{
		key->values[i] = dnc_entry_value(entry, provider->identity[i]);
		if (key->values[i] == NULL)
			return false;
	}
	return true;
}

/* Do two removals on the same key name the same entry in what else they say? */
bool
dnc_entry_removes_same(const DncEntry *one, const DncEntry *other)
{
	const DncWriteCall *remove = dnc_entry_call(one);

	for (int i = 0; remove->members[i].name; i++)
	{
		DncColumn	column = remove->members[i].column;
		const char *value = dnc_entry_value(one, column);
		const char *other_value = dnc_entry_value(other, column);

		if (!remove->members[i].required ||
			dnc_provider_is_identity(one->target->options->provider, column))
			continue;
		if (value == NULL || other_value == NULL
			? value != other_value : strcmp(value, other_value) != 0)
			return false;
	}
	return true;
}

/* A byte of a key's text, as it is compared. */
static inline unsigned char
key_byte(const DncKey *key, char c)
{
	return key->folds_case ? pg_ascii_tolower((unsigned char) c) : (unsigned char) c;
}

/* HashValueFunc of queue->last: FNV-1a, since what is hashed is folded on the way. */
static uint32
hash_key(const void *arg, Size size)
{
	const DncKey *key = arg;
	uint32		hash = 2166136261u ^ key->account;

	for (int i = 0; i < DNC_MAX_IDENTITY && key->values[i]; i++)
	{
		for (const char *c = key->values[i]; *c; c++)
			hash = (hash ^ key_byte(key, *c)) * 16777619u;
		hash = hash * 16777619u;
	}
	return murmurhash32(hash);
}

/* HashCompareFunc of queue->last. */
static int
compare_keys(const void *arg1, const void *arg2, Size size)
{
	const DncKey *one = arg1;
	const DncKey *other = arg2;

	if (one->account != other->account)
		return 1;
	for (int i = 0; i < DNC_MAX_IDENTITY && one->values[i]; i++)
	{
		const char *a = one->values[i];
		const char *b = other->values[i];

		while (*a && key_byte(one, *a) == key_byte(one, *b))
			a++, b++;
		if (*a || *b)
			return 1;
	}
	return 0;
}

/* An empty queue for a server, in a context of its own below parent. */
DncPending *
dnc_pending_make(MemoryContext parent, Oid serverid)
{
	MemoryContext context = AllocSetContextCreate(parent, "dnc_fdw queue", ALLOCSET_SMALL_SIZES);
	DncPending   *queue = MemoryContextAllocZero(context, sizeof(DncPending));

	queue->context = context;
	queue->serverid = serverid;
	queue->entry_context = GenerationContextCreate(context, "dnc_fdw waiting writes",
												   ALLOCSET_DEFAULT_SIZES);
	return queue;
}

/* Make the hash table, with the first entry. */
static void
ensure_last(DncPending *queue)
{
	HASHCTL		ctl = {.keysize = sizeof(DncKey), .entrysize = sizeof(LastWrite),
	.hash = hash_key, .match = compare_keys, .hcxt = queue->context};

	if (queue->last == NULL)
		queue->last = hash_create("dnc_fdw last writes", 64, &ctl,
								  HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

/* Pack a write into an entry of a queue. */
static DncEntry *
pack_entry(DncPending *queue, DncTarget *target, DncAction action, DncMemberValues values)
{
	const DncProvider *provider = target->options->provider;
	const DncWriteCall *write = action == DNC_ACTION_ADD ? &provider->add : &provider->remove;
	const char *utf8[DNC_MAX_MEMBERS];
	Size		size = offsetof(DncEntry, text);
	DncEntry   *entry;
	char	   *text;

	for (int i = 0; write->members[i].name; i++)
	{
		utf8[i] = values[i] ? pg_server_to_any(values[i], strlen(values[i]), PG_UTF8) : NULL;
		size += utf8[i] ? strlen(utf8[i]) + 1 : 0;
	}
	entry = MemoryContextAlloc(queue->entry_context, size);
	memset(entry, 0, offsetof(DncEntry, text));
	entry->target = target;
	entry->action = action;
	text = entry->text;
	for (int i = 0; write->members[i].name; i++)
	{
		if (utf8[i] == NULL)
			continue;
		entry->present |= 1 << i;
		strcpy(text, utf8[i]);
		text += strlen(text) + 1;
	}
	return entry;
}

/*
 * Put a write at the end of a queue: values by the members of its call, in the
 * database's encoding; command is the one that makes it.  Raises 22021 where a
 * value is not text in the database's encoding.
 */
DncEntry *
dnc_pending_append(DncPending *queue, DncTarget *target, DncAction action, DncMemberValues values,
				   CommandId command)
{
	DncEntry   *entry = pack_entry(queue, target, action, values);
	DncKey		key;

	entry->command = command;
	entry->nest_level = GetCurrentTransactionNestLevel();
	if (queue->count == queue->capacity)
	{
		int			capacity = Max(queue->capacity * 2, 64);
		Size		size = (Size) capacity * sizeof(DncEntry *);

		if (queue->capacity > INT_MAX / 2)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many writes to server \"%s\" in one transaction",
							target->options->server_name)));
		queue->entries = queue->entries ? repalloc_huge(queue->entries, size)
			: MemoryContextAllocHuge(queue->context, size);
		queue->capacity = capacity;
	}
	if (dnc_entry_key(entry, &key))
	{
		bool		found;
		LastWrite  *last;

		ensure_last(queue);
		last = hash_search(queue->last, &key, HASH_ENTER, &found);
		entry->previous = found ? last->entry : NULL;
		last->entry = entry;
	}
	entry->index = queue->count;
	queue->entries[queue->count++] = entry;
	return entry;
}

/* Take the last entry off a queue, and forget it. */
void
dnc_pending_drop_last(DncPending *queue)
{
	DncEntry   *entry = queue->entries[--queue->count];
	DncKey		key;

	if (dnc_entry_key(entry, &key))
	{
		if (entry->previous)
			((LastWrite *) hash_search(queue->last, &key, HASH_FIND, NULL))->entry = entry->previous;
		else
			hash_search(queue->last, &key, HASH_REMOVE, NULL);
	}
	pfree(entry);
}

/* Forget all entries of a queue. */
void
dnc_pending_clear(DncPending *queue)
{
	if (queue->last)
		hash_destroy(queue->last);
	queue->last = NULL;
	queue->count = 0;
	MemoryContextReset(queue->entry_context);
}

/* The last write on a list entry; NULL: none. */
DncEntry *
dnc_pending_find(const DncPending *queue, const DncKey *key)
{
	LastWrite  *last = queue->last ? hash_search(queue->last, key, HASH_FIND, NULL) : NULL;

	return last ? last->entry : NULL;
}

/*
 * Mark what need not be sent: an addition that is taken back by a later removal,
 * and that removal too, unless the entry was seen on the list; and a removal of
 * what is being removed already.
 */
void
dnc_pending_mark_overtaken(DncPending *queue)
{
	for (int i = 0; i < queue->count; i++)
		queue->entries[i]->state = DNC_ENTRY_WAITING;
	for (int i = 0; i < queue->count; i++)
	{
		DncEntry   *entry = queue->entries[i];
		DncEntry   *before = entry->previous;
		bool		listed = before == NULL || before->action == DNC_ACTION_REMOVE;

		if (entry->action != DNC_ACTION_REMOVE)
			continue;
		for (; before && before->action == DNC_ACTION_ADD; before = before->previous)
		{
			before->state = DNC_ENTRY_OVERTAKEN;
			listed = listed || before->listed;
		}
		if (!listed)
			entry->state = DNC_ENTRY_OVERTAKEN;
		for (; before && before->action == DNC_ACTION_REMOVE; before = before->previous)
		{
			if (before->state != DNC_ENTRY_OVERTAKEN && dnc_entry_removes_same(before, entry))
				entry->state = DNC_ENTRY_OVERTAKEN;
		}
	}
}
