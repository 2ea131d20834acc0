/*-------------------------------------------------------------------------
 *
 * overlay.c
 *		What a scan sees of its own transaction's waiting writes.
 *
 * A scan reads what the remote has, and what waits for COMMIT is laid over it: an
 * entry that is to be removed is hidden, and behind the list come the entries that
 * are to be added and were not on it.  The rules are those of command visibility: a
 * write is seen by the commands after the one that made it.
 *
 * Entries of one list are told apart by the provider's identity.  Where an entry
 * was added that the remote already has, the remote's row is shown: it is what there
 * will be, and it has what only the remote knows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "mb/pg_wchar.h"
#include "nodes/bitmapset.h"

#include "write/overlay.h"
#include "write/transaction.h"

struct DncOverlay
{
	MemoryContext context;		/* holds listed */
	const DncOptions *options;
	const DncPending *queue;
	CommandId	command;		/* sees the writes of the commands before it */
	Bitmapset  *listed;			/* by index: additions that the remote has already */
	int			index;			/* the next write to look at */
	int			end;			/* behind the last one that was there at the beginning */
};

/* Does the scan see a write? */
static bool
is_visible(const DncOverlay *own, const DncEntry *entry)
{
	return entry->command < own->command;
}

/*
 * A parallel worker knows nothing of its leader's writes.  The planner keeps our scans out
 * of workers, but not functions that read a list and say that they are parallel safe.
 */
static void
refuse_parallel_worker(const DncOptions *options)
{
	if (!IsParallelWorker())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot read a list of server \"%s\" in a parallel worker",
					options->server_name),
			 errdetail("What its transaction has written, and waits for COMMIT, is not seen there."),
			 errhint("Mark functions that read foreign tables PARALLEL RESTRICTED.")));
}

/*
 * The writes that a command of this transaction sees on the lists of a server, with
 * the credentials in *options; NULL: there are none.  palloc'd in the current context.
 * Raises 0A000 in a parallel worker.
 */
DncOverlay *
dnc_overlay_begin(const DncOptions *options, CommandId command)
{
	const DncPending *queue = dnc_transaction_queue(options->serverid);
	DncOverlay	   *own;

	refuse_parallel_worker(options);
	if (queue == NULL)
		return NULL;
	own = palloc0(sizeof(DncOverlay));
	own->context = CurrentMemoryContext;
	own->options = options;
	own->queue = queue;
	own->command = command;
	own->end = queue->count;
	for (int i = 0; i < queue->count; i++)
	{
		if (is_visible(own, queue->entries[i]) &&
			queue->entries[i]->target->options->mapping == options->mapping)
			return own;
	}
	pfree(own);
	return NULL;
}

/* The text of a column of an entry of the list, UTF-8; NULL: it has none. */
static const char *
listed_value(const DncOverlay *own, const DncJson *entry, DncColumn column)
{
	const DncField *field = dnc_provider_field(own->options->provider, column);
	const DncJson *value;

	if (field == NULL)
		return NULL;
	if (field->name == NULL)
		return field->constant;
	value = dnc_json_get(entry, field->name);
	return value && dnc_json_kind(value) == DNC_JSON_STRING ? dnc_json_string(value) : NULL;
}

/* Is an entry of the list of a type?  Of NULL is any. */
bool
dnc_overlay_is_of_type(const DncOverlay *own, const DncJson *entry, const char *type)
{
	const char *listed = listed_value(own, entry, DNC_COL_IDENTIFIER_TYPE);

	return type == NULL || (listed && strcmp(listed, type) == 0);
}

/* Is this entry of the list the one that a removal on its key names? */
static bool
removes(const DncOverlay *own, const DncEntry *removal, const DncJson *entry)
{
	const DncProvider *provider = own->options->provider;

	for (int i = 0; provider->remove.members[i].name; i++)
	{
		const DncMember *member = &provider->remove.members[i];
		const char *wanted = dnc_entry_value(removal, member->column);
		const char *listed = listed_value(own, entry, member->column);

		if (member->required && !dnc_provider_is_identity(provider, member->column) &&
			(wanted == NULL || listed == NULL || strcmp(wanted, listed) != 0))
			return false;
	}
	return true;
}

/*
 * Has the transaction removed this entry of the list?  Also takes note of it, should
 * the transaction have added it.
 */
bool
dnc_overlay_hides(DncOverlay *own, const DncJson *entry)
{
	const DncProvider *provider = own->options->provider;
	DncKey		key = {.account = own->options->mapping, .folds_case = provider->folds_case};
	DncEntry   *last;
	MemoryContext before;

	for (int i = 0; i < provider->nidentity; i++)
	{
		key.values[i] = listed_value(own, entry, provider->identity[i]);
		if (key.values[i] == NULL)
			return false;		/* not as the API promises: the decoder will say so */
	}
	last = dnc_pending_find(own->queue, &key);
	if (last == NULL)
		return false;
	for (const DncEntry *write = last; write; write = write->previous)
	{
		if (is_visible(own, write) && write->action == DNC_ACTION_REMOVE &&
			removes(own, write, entry))
			return true;
	}
	before = MemoryContextSwitchTo(own->context);
	for (DncEntry *write = last; write; write = write->previous)
	{
		if (write->action != DNC_ACTION_ADD)
			continue;
		own->listed = bms_add_member(own->listed, write->index);
		write->listed = true;
	}
	MemoryContextSwitchTo(before);
	return false;
}

/*
 * Is an addition to be shown?  Not if it was taken back later, nor if the entry was
 * there before it: on the remote list, or by an earlier addition.
 */
static bool
shows(const DncOverlay *own, const DncEntry *addition)
{
	DncKey		key;

	if (!is_visible(own, addition) || !dnc_entry_key(addition, &key) ||
		key.account != own->options->mapping)
		return false;
	for (const DncEntry *write = dnc_pending_find(own->queue, &key); write != addition;
		 write = write->previous)
	{
		if (is_visible(own, write) && write->action == DNC_ACTION_REMOVE)
			return false;
	}
	for (const DncEntry *write = addition->previous; write; write = write->previous)
	{
		if (is_visible(own, write))
			return write->action == DNC_ACTION_REMOVE;
	}
	return !bms_is_member(addition->index, own->listed);
}

/* Begin anew with the additions.  What was found on the list stays known. */
void
dnc_overlay_rewind(DncOverlay *own)
{
	own->index = 0;
}

/* Does a text match a search?  Letters of ASCII in any case. */
static bool
matches_search(const char *text, const char *search, int how)
{
	size_t		length = strlen(search);

	if (how == DNC_SEARCH_EXACT)
		return pg_strcasecmp(text, search) == 0;
	if (how == DNC_SEARCH_PREFIX)
		return pg_strncasecmp(text, search, length) == 0;
	for (; strlen(text) >= length; text++)
	{
		if (pg_strncasecmp(text, search, length) == 0)
			return true;
		if (*text == '\0')
			break;
	}
	return false;
}

/* What was given for an addition: texts[DNC_NCOLUMNS], UTF-8, NULL where nothing was. */
void
dnc_overlay_texts(const DncEntry *entry, const char **texts)
{
	const DncWriteCall *write = dnc_entry_call(entry);
	const char *values[DNC_MAX_MEMBERS];

	memset(texts, 0, sizeof(char *) * DNC_NCOLUMNS);
	dnc_entry_unpack(entry, values);
	for (int i = 0; write->members[i].name; i++)
		texts[write->members[i].column] = values[i];
}

/*
 * Would the remote search for a text, in the database's encoding, find an addition?  As far as search_match says: it looks
 * at the columns whose filters have the same parameter.
 */
static bool
is_found(const DncOverlay *own, const DncEntry *entry, const char *search)
{
	const DncProvider *provider = own->options->provider;
	const char *parameter = NULL;
	const char *texts[DNC_NCOLUMNS];

	search = pg_server_to_any(search, strlen(search), PG_UTF8);
	dnc_overlay_texts(entry, texts);
	for (int i = 0; i < provider->nfilters; i++)
	{
		const DncFilter *filter = &provider->filters[i];

		if (filter->column == DNC_COL_SEARCH)
			parameter = filter->parameter;
		else if (parameter && strcmp(filter->parameter, parameter) == 0 &&
				 texts[filter->column] &&
				 matches_search(texts[filter->column], search, own->options->search_match))
			return true;
	}
	return *search == '\0';
}

/*
 * The next addition that is not on the remote list, once that was read; NULL: there
 * is none.  Unless these are NULL, search (in the database's encoding) is what it has to
 * be found by, and identifier and type (UTF-8) are its own.
 */
const DncEntry *
dnc_overlay_next(DncOverlay *own, const char *search, const char *identifier, const char *type)
{
	while (own->index < Min(own->end, own->queue->count))
	{
		const DncEntry *entry = own->queue->entries[own->index++];
		const char *own_type;

		if (entry->action != DNC_ACTION_ADD ||
			(identifier && strcmp(dnc_entry_value(entry, DNC_COL_IDENTIFIER), identifier) != 0))
			continue;
		own_type = dnc_entry_value(entry, DNC_COL_IDENTIFIER_TYPE);
		if (shows(own, entry) &&
			(search == NULL || is_found(own, entry, search)) &&
			(type == NULL || own_type == NULL || strcmp(type, own_type) == 0))
			return entry;
	}
	return NULL;
}
