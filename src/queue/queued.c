/*-------------------------------------------------------------------------
 *
 * queued.c
 *		The additions that wait in the queue, for scans.
 *
 * A person counts as listed from the COMMIT of an addition on.  The addition may wait, be sent, be
 * held, or be dead until somebody discards it.  So a scan shows all additions that are not over.
 * A removal that waits hides nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "queue/queued.h"
#include "queue/statements.h"
#include "queue/table.h"

/* Append the addition in a row to the pending writes. */
static void
append_addition(DncPending *pending, const DncTarget *target, const DncQueueQuery *query,
				uint64 row)
{
	const DncMember *members = target->options->provider->add.members;
	const char *texts[DNC_NCOLUMNS] = {0};
	const char *values[DNC_MAX_MEMBERS] = {0};

	for (int i = 0; i < DNC_QUEUE_NMEMBERS; i++)
		texts[dnc_queue_members[i].column] = dnc_queue_value(query, row, 1 + i);
	for (int i = 0; members[i].name; i++)
		values[i] = texts[members[i].column];
	(void) dnc_pending_append(pending, target, DNC_ACTION_ADD, values, FirstCommandId);
}

/*
 * DncFindQueued.  Roles with other tokens may write to other lists of the account.  We show their
 * additions too: it harms nobody if a person is not called.
 */
DncPending *
dnc_queue_find_additions(const DncOptions *options)
{
	Oid			relid = dnc_queue_relation("dnc_fdw_queue_waiting");
	MemoryContext context = CurrentMemoryContext;
	DncQueueArguments arguments = {0};
	DncPending *pending = NULL;
	DncQueueQuery query;
	DncTarget  *target;

	if (!OidIsValid(relid) || dnc_queue_is_empty(relid) || !ActiveSnapshotSet())
		return NULL;
	dnc_queue_list_arguments(options, &arguments);
	dnc_queue_open(&query, "SELECT " DNC_QUEUE_MEMBERS " FROM " DNC_QUEUE_WAITING " w "
				   "WHERE w.action = 'add' AND " DNC_QUEUE_IS_OF_LIST " ORDER BY w.id", &arguments, true);
	if (query.count > 0)
	{
		pending = dnc_pending_make(context);
		target = MemoryContextAllocZero(pending->context, sizeof(DncTarget));
		target->options = options;
		for (uint64 i = 0; i < query.count; i++)
			append_addition(pending, target, &query, i);
	}
	dnc_queue_close(&query);
	return pending;
}
