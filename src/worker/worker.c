/*-------------------------------------------------------------------------
 *
 * worker.c
 *		The workers: a delivery sends the queue of a server, a mirror refreshes one.
 *
 * A delivery connects as the bootstrap superuser: it sends everybody's writes, with their
 * writers' user mappings.  It reads and writes only the tables of the queue, and runs no code of
 * a user.  When it has sent all that is due, it waits a little for more, so that writes that
 * follow each other find it there, and ends.
 *
 * A mirror's worker connects as the role of its schedule, which can log in.  It does the work of
 * CALL dnc_fdw_mirror_refresh(), and ends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "mirror/refresh.h"
#include "queue/deliver.h"
#include "queue/table.h"
#include "worker/process.h"

/* A delivery ends after so many milliseconds without work. */
#define IDLE_MS 5000

/*
 * While another session sends for the account, a delivery tries again after so many milliseconds.
 */
#define BUSY_MS 1000

PGDLLEXPORT void dnc_delivery_main(Datum arg);
PGDLLEXPORT void dnc_mirror_main(Datum arg);

/* DncDelivery.commit, DncRefresh.commit */
static void
commit_and_begin(void)
{
	dnc_process_commit();
	dnc_process_begin_transaction();
}

/* DncRefresh.rollback */
static void
roll_back_and_begin(void)
{
	MemoryContext before = CurrentMemoryContext;

	AbortCurrentTransaction();
	MemoryContextSwitchTo(before);
	dnc_process_begin_transaction();
}

/*
 * Send the writes in the queue of a server that are due.  False: another session is sending.
 * Ends the process if the server or the queue is gone.
 */
static bool
deliver(Oid serverid, MemoryContext context)
{
	DncDelivery	delivery = {.serverid = serverid, .commit = commit_and_begin, .context = context};
	MemoryContext before = MemoryContextSwitchTo(context);
	ForeignServer *server;
	bool		sent;

	dnc_process_begin_transaction();
	server = GetForeignServerExtended(serverid, FSV_MISSING_OK);
	if (server == NULL || !dnc_queue_exists())
	{
		dnc_process_commit();
		proc_exit(0);
	}
	dnc_process_report(psprintf("CALL dnc_fdw_deliver('%s')", server->servername));
	sent = dnc_queue_deliver(&delivery);
	dnc_process_commit();
	dnc_process_report("");
	MemoryContextSwitchTo(before);
	MemoryContextReset(context);
	return sent;
}

/* Wait until there is more to do, or for so many milliseconds; false: there is nothing to do. */
static bool
wait_for_work(DncSlot *slot, int64 ms)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);

	while (pg_atomic_read_u32(&slot->work) == 0)
	{
		TimestampTz now = GetCurrentTimestamp();

		if (now >= until)
			return false;
		dnc_process_wait((until - now) / 1000 + 1);
	}
	return true;
}

/* The process of a delivery. */
void
dnc_delivery_main(Datum arg)
{
	DncSlot	   *slot = dnc_process_begin();
	MemoryContext context;
	bool		woken = true;

	dnc_process_connect(slot);
	context = AllocSetContextCreate(TopMemoryContext, "dnc_fdw delivery", ALLOCSET_DEFAULT_SIZES);
	while (woken)
	{
		bool		sent;

		(void) pg_atomic_exchange_u32(&slot->work, 0);
		sent = deliver(slot->subject, context);
		if (sent)
			dnc_slot_succeeded(slot);
		dnc_slot_set_idle(slot, true);
		woken = wait_for_work(slot, sent ? IDLE_MS : BUSY_MS) || !sent;
		dnc_slot_set_idle(slot, false);
	}
}

/* The name of a relation, palloc'd. */
static const char *
name_of(Oid relid)
{
	const char *name = get_rel_name(relid);

	return name ? quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name)
		: "?";
}

/*
 * The process that refreshes a mirror.  If it is ended in a pass, the next process goes on with
 * that.
 */
void
dnc_mirror_main(Datum arg)
{
	DncSlot    *slot = dnc_process_begin();
	DncRefresh	refresh = {.source = slot->subject, .delta = slot->delta};

	refresh.commit = commit_and_begin;
	refresh.rollback = roll_back_and_begin;
	dnc_process_connect(slot);
	refresh.context = AllocSetContextCreate(TopMemoryContext, "dnc_fdw mirror",
											ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(refresh.context);
	dnc_process_begin_transaction();
	dnc_process_report(psprintf("CALL dnc_fdw_mirror_refresh('%s'%s)",
								name_of(refresh.source),
								refresh.delta ? ", mode => 'delta'" : ""));
	(void) dnc_mirror_refresh(&refresh);
	dnc_process_commit();
}
