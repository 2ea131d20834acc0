/*-------------------------------------------------------------------------
 *
 * overlay.c
 *		A scan's view of its own transaction's pending writes.
 *
 * A scan reads the remote's list, and we lay over it the writes that wait to be sent.  We hide an
 * entry that is to be removed.  Behind the list we show the additions whose entries were not on
 * it.  The rules are those of command visibility: a command sees the writes of the commands
 * before it.
 *
 * The provider's identity tells entries of one list apart.  If the transaction adds an
 * entry that the remote already has, we show the remote's row.  It will be the same after
 * COMMIT, and it has the columns that only the remote knows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "miscadmin.h"
#include "mb/pg_wchar.h"
#include "nodes/bitmapset.h"

#include "write/overlay.h"
#include "write/settle.h"
#include "write/transaction.h"

struct DncOverlay
{
	MemoryContext context;		/* holds listed */
	const DncOptions *options;
	const DncPending *pending;	/* NULL: the scan sees none of the transaction's writes */
	CommandId	command;		/* sees the writes of the commands before it */
	bool	   *shown;			/* by index: additions that are shown unless the list has them */
	Bitmapset  *listed;			/* by index: additions whose entries the remote has already */
	int			index;			/* the next write to look at */
	int			end;			/* behind the last write that was there at the beginning */
	uint32		sent;			/* pending->sent at the beginning */
	DncPending *queued;			/* additions of the queue; NULL: there are none */
	Bitmapset  *queued_listed;	/* by index: those whose entries the remote has */
	int			queued_index;	/* the next addition of the queue to look at */
};

static DncFindQueued find_queued = NULL;

/* For _PG_init(): the function that finds additions which no transaction holds any more. */
void
dnc_overlay_register(DncFindQueued function)
{
	find_queued = function;
}

/* Does the scan see a write? */
static bool
is_visible(const DncOverlay *overlay, const DncPendingWrite *waiting)
{
	return waiting->command < overlay->command;
}

/*
 * A parallel worker does not know its leader's writes.  The planner keeps our scans out of
 * workers, but not functions that read a list and say that they are parallel safe.
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
 * Find the additions that stand and are the first of their entries to do so.  By index, palloc'd
 * in the current context.  NULL: the scan sees no write at all.
 */
static bool *
find_shown(const DncOverlay *overlay)
{
	const DncPending *pending = overlay->pending;
	uint8	   *fates = dnc_settle_fates(pending, overlay->command);
	bool	   *shown = MemoryContextAllocHuge(CurrentMemoryContext, pending->count);
	bool	   *stands = MemoryContextAllocHuge(CurrentMemoryContext, pending->count);
	const DncTarget *target = NULL;
	bool		same = false;
	bool		any = false;

	for (int i = 0; i < pending->count; i++)
	{
		const DncPendingWrite *waiting = dnc_pending_at(pending, i);
		bool		before = waiting->previous && stands[waiting->previous->index];

		if (waiting->write.target != target)
		{
			target = waiting->write.target;
			same = dnc_target_is_same_list(target->options, overlay->options);
		}
		any = any || (same && fates[i] != DNC_FATE_UNSEEN);
		shown[i] = same && !before && waiting->write.action == DNC_ACTION_ADD &&
			fates[i] == DNC_FATE_STANDS;
		stands[i] = before || shown[i];
	}
	pfree(fates);
	pfree(stands);
	if (!any)
		pfree(shown);
	return any ? shown : NULL;
}

/*
 * The writes to the list of *options, with its credentials, that a command of this transaction
 * sees, and the additions of the queue; NULL: there are none.  palloc'd in the current context.
 * Raises 0A000 in a parallel worker, and where writes to another account wait for the same list.
 */
DncOverlay *
dnc_overlay_begin(const DncOptions *options, CommandId command)
{
	const DncPending *pending;
	DncOverlay *overlay;

	refuse_parallel_worker(options);
	pending = dnc_transaction_pending(options);
	overlay = palloc0(sizeof(DncOverlay));
	overlay->context = CurrentMemoryContext;
	overlay->options = options;
	overlay->pending = pending;
	overlay->command = command;
	overlay->end = pending ? pending->count : 0;
	overlay->sent = pending ? pending->sent : 0;
	overlay->shown = pending ? find_shown(overlay) : NULL;
	if (overlay->shown == NULL)
		overlay->pending = NULL;
	overlay->queued = find_queued ? find_queued(options) : NULL;
	if (overlay->pending || overlay->queued)
		return overlay;
	pfree(overlay);
	return NULL;
}

/* ----- entries of the list ----- */

/* The text in a column of a list entry, UTF-8; NULL: it has none. */
static const char *
listed_value(const DncOverlay *overlay, const DncJson *entry, DncColumn column)
{
	const DncField *field = dnc_provider_field(overlay->options->provider, column);
	const DncJson *value;

	if (field == NULL)
		return NULL;
	if (field->name == NULL)
		return field->constant;
	value = dnc_json_get(entry, field->name);
	return value && dnc_json_kind(value) == DNC_JSON_STRING ? dnc_json_string(value) : NULL;
}

/* Does an entry of the list have this type?  NULL matches any type. */
bool
dnc_overlay_is_of_type(const DncOverlay *overlay, const DncJson *entry, const char *type)
{
	const char *listed = listed_value(overlay, entry, DNC_COL_IDENTIFIER_TYPE);

	return type == NULL || (listed && strcmp(listed, type) == 0);
}

/* The last write of a collection on a list entry; NULL: none, or the entry lacks a key. */
static DncPendingWrite *
find_last(const DncOverlay *overlay, const DncPending *pending, const DncJson *entry)
{
	const DncProvider *provider = overlay->options->provider;
	DncIdentity identity = {.list = overlay->options,.folds_case = provider->folds_case,
	.ignores_plus = provider->ignores_plus};

	if (pending == NULL)
		return NULL;
	for (int i = 0; i < provider->nidentity; i++)
	{
		identity.values[i] = listed_value(overlay, entry, provider->identity[i]);
		if (identity.values[i] == NULL)
			return NULL;		/* not as the API promises: the decoder will say so */
	}
	return dnc_pending_find(pending, &identity);
}

/* Does a removal, whose identity is that of a list entry, name just this entry? */
static bool
removes(const DncOverlay *overlay, const DncWrite *removal, const DncJson *entry)
{
	const DncProvider *provider = overlay->options->provider;

	for (int i = 0; provider->remove.members[i].name; i++)
	{
		const DncMember *member = &provider->remove.members[i];
		const char *wanted = dnc_write_value(removal, member->column);
		const char *listed = listed_value(overlay, entry, member->column);

		if (member->required && !dnc_provider_is_identity(provider, member->column) &&
			(wanted == NULL || listed == NULL || strcmp(wanted, listed) != 0))
			return false;
	}
	return true;
}

/* Does the scan see a removal of this entry among the last write and those before it? */
static bool
is_removed(const DncOverlay *overlay, const DncPendingWrite *last, const DncJson *entry)
{
	for (const DncPendingWrite *waiting = last; waiting; waiting = waiting->previous)
	{
		CHECK_FOR_INTERRUPTS();
		if (is_visible(overlay, waiting) && waiting->write.action == DNC_ACTION_REMOVE &&
			removes(overlay, &waiting->write, entry))
			return true;
	}
	return false;
}

/* Has the transaction removed this entry of the list? */
bool
dnc_overlay_hides(const DncOverlay *overlay, const DncJson *entry)
{
	return is_removed(overlay, find_last(overlay, overlay->pending, entry), entry);
}

/* Does an addition give other values than the list has, identity and type aside? */
static bool
gives_other_values(const DncOverlay *overlay, const DncWrite *addition, const DncJson *entry)
{
	const DncProvider *provider = overlay->options->provider;
	const DncMember *members = provider->add.members;

	/* An API that refuses listed entries will never take the values over. */
	if (provider->add.unchanged_status != 0)
		return false;
	for (int i = 0; members[i].name; i++)
	{
		const char *given = dnc_write_value(addition, members[i].column);
		const char *listed;

		if (given == NULL || members[i].column == DNC_COL_IDENTIFIER_TYPE ||
			dnc_provider_is_identity(provider, members[i].column) ||
			dnc_provider_field(provider, members[i].column) == NULL)
			continue;
		listed = listed_value(overlay, entry, members[i].column);
		if (listed == NULL || strcmp(given, listed) != 0)
			return true;
	}
	return false;
}

/*
 * Take note of an entry that is on the list and not hidden.  If the transaction has added it, we
 * do not show the addition, and a removal of the entry has to be sent.
 */
void
dnc_overlay_note_listed(DncOverlay *overlay, const DncJson *entry)
{
	DncPendingWrite *last = find_last(overlay, overlay->pending, entry);
	DncPendingWrite *queued = find_last(overlay, overlay->queued, entry);
	MemoryContext before = MemoryContextSwitchTo(overlay->context);

	for (; queued; queued = queued->previous)
		overlay->queued_listed = bms_add_member(overlay->queued_listed, queued->index);
	if (is_removed(overlay, last, entry))
		last = NULL;
	for (DncPendingWrite *waiting = last; waiting; waiting = waiting->previous)
	{
		CHECK_FOR_INTERRUPTS();
		if (waiting->write.action != DNC_ACTION_ADD)
			continue;
		overlay->listed = bms_add_member(overlay->listed, waiting->index);
		waiting->listed = true;
		waiting->differs = gives_other_values(overlay, &waiting->write, entry);
	}
	MemoryContextSwitchTo(before);
}

/* ----- additions ----- */

/* Begin with the additions again.  We still know the entries that were found on the list. */
void
dnc_overlay_rewind(DncOverlay *overlay)
{
	overlay->index = 0;
	overlay->queued_index = 0;
}

/* Does a text match a search?  ASCII letters match in any case. */
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

/*
 * Would the remote's search find an addition?  The search looks at the columns whose filters have
 * the same parameter, and search_match says how.  search is in the database's encoding.
 */
static bool
is_found(const DncOverlay *overlay, const DncWrite *addition, const char *search)
{
	const DncProvider *provider = overlay->options->provider;
	const char *parameter = NULL;
	const char *texts[DNC_NCOLUMNS];

	search = pg_server_to_any(search, strlen(search), PG_UTF8);
	dnc_write_texts(addition, texts);
	for (int i = 0; i < provider->nfilters; i++)
	{
		const DncFilter *filter = &provider->filters[i];

		if (filter->column == DNC_COL_SEARCH)
			parameter = filter->parameter;
		else if (parameter && strcmp(filter->parameter, parameter) == 0 &&
				 texts[filter->column] &&
				 matches_search(texts[filter->column], search, overlay->options->search_match))
			return true;
	}
	return *search == '\0';
}

/* Do search, identifier and type ask for an addition?  See dnc_overlay_next(). */
static bool
is_wanted(const DncOverlay *overlay, const DncWrite *addition, const char *search,
		  const char *identifier, const char *type)
{
	const char *own_type = dnc_write_value(addition, DNC_COL_IDENTIFIER_TYPE);

	return (identifier == NULL ||
			strcmp(dnc_write_value(addition, DNC_COL_IDENTIFIER), identifier) == 0) &&
		(search == NULL || is_found(overlay, addition, search)) &&
		(type == NULL || own_type == NULL || strcmp(type, own_type) == 0);
}

/* Does the scan see a write of its transaction on the entry of a queued addition? */
static bool
is_decided_here(const DncOverlay *overlay, const DncWrite *queued)
{
	const DncPendingWrite *waiting = NULL;
	DncIdentity identity;

	if (overlay->pending && dnc_write_identity(queued, &identity))
		waiting = dnc_pending_find(overlay->pending, &identity);
	for (; waiting; waiting = waiting->previous)
	{
		if (is_visible(overlay, waiting))
			return true;
	}
	return false;
}

/*
 * Does an addition of the queue repeat an earlier one?  If an entry is there in several
 * spellings, we show them all, since a condition may ask for any of them.
 */
static bool
repeats_queued(const DncPendingWrite *waiting)
{
	const char *identifier = dnc_write_value(&waiting->write, DNC_COL_IDENTIFIER);

	for (const DncPendingWrite *before = waiting->previous; before; before = before->previous)
	{
		CHECK_FOR_INTERRUPTS();
		if (strcmp(dnc_write_value(&before->write, DNC_COL_IDENTIFIER), identifier) == 0)
			return true;
	}
	return false;
}

/* The next queued addition, as in dnc_overlay_next(); each spelling of an entry comes once. */
static const DncWrite *
next_queued(DncOverlay *overlay, const char *search, const char *identifier, const char *type)
{
	while (overlay->queued && overlay->queued_index < overlay->queued->count)
	{
		const DncPendingWrite *waiting = dnc_pending_at(overlay->queued, overlay->queued_index++);

		CHECK_FOR_INTERRUPTS();
		if (!repeats_queued(waiting) &&
			!bms_is_member(waiting->index, overlay->queued_listed) &&
			is_wanted(overlay, &waiting->write, search, identifier, type) &&
			!is_decided_here(overlay, &waiting->write))
			return &waiting->write;
	}
	return NULL;
}

/*
 * With write_mode 'immediate' an open cursor may outlive the writes that it has to show.  By now
 * they are on the list, but the cursor may have read that part of it before.
 */
static void
refuse_sent(const DncOverlay *overlay)
{
	if (overlay->sent == overlay->pending->sent)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot read on from the list of server \"%s\"",
					overlay->options->server_name),
			 errdetail("Writes that waited when this reading began have been sent since."),
			 errhint("Open the cursor again.")));
}

/*
 * The next addition that is not on the remote list, after the list was read; NULL: there is none.
 * search (in the database's encoding) has to find the addition, and identifier and type (UTF-8)
 * have to be its own; NULL matches any.  Raises 0A000 where the additions have been sent
 * meanwhile.
 */
const DncWrite *
dnc_overlay_next(DncOverlay *overlay, const char *search, const char *identifier,
				 const char *type)
{
	if (overlay->pending)
		refuse_sent(overlay);
	while (overlay->pending && overlay->index < Min(overlay->end, overlay->pending->count))
	{
		const DncPendingWrite *waiting = dnc_pending_at(overlay->pending, overlay->index++);
		const DncWrite *write = &waiting->write;

		CHECK_FOR_INTERRUPTS();
		if (write->action == DNC_ACTION_ADD && overlay->shown[waiting->index] &&
			!bms_is_member(waiting->index, overlay->listed) &&
			is_wanted(overlay, write, search, identifier, type))
			return write;
	}
	return next_queued(overlay, search, identifier, type);
}
