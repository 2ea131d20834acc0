/*-------------------------------------------------------------------------
 *
 * launcher.c
 *		The launcher: starts a scheduler for each database of dnc_fdw.databases.
 *
 * The postmaster starts the launcher, and starts it again when it has ended.  The launcher
 * connects to no database, and reads only pg_database.  The setting names the databases: if we
 * looked for them, we would take slots for databases where nobody wants us.
 *
 * On a standby the launcher does not run: it is started when recovery ends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_database.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "parser/scansup.h"
#include "postmaster/bgworker.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "compat.h"
#include "queue/due.h"
#include "worker/launcher.h"
#include "worker/process.h"
#include "worker/utility.h"
#include "worker/wake.h"

/* Seconds until the postmaster restarts a launcher that has ended. */
#define RESTART_S 5

/* If a launched process has not come after so many milliseconds, it will not come. */
#define LOST_AFTER_MS 60000

/* datconnlimit of a database whose DROP was cut off: PostgreSQL's name for it is not in all of 15. */
#define DROP_WAS_CUT_OFF (-2)

PGDLLEXPORT void dnc_launcher_main(Datum arg);

/*
 * For _PG_init(): if the library is preloaded, register the launcher, and the hooks for commits
 * and statements.  pg_upgrade and single-user mode have no background processes.
 */
void
dnc_launcher_init(void)
{
	BackgroundWorker worker = {0};

	if (!process_shared_preload_libraries_in_progress || !IsPostmasterEnvironment ||
		IsBinaryUpgrade)
		return;
	dnc_slots_register();
	dnc_queue_register_waker(dnc_wake_at_commit);
	dnc_utility_init();
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_S;
	strlcpy(worker.bgw_library_name, "dnc_fdw", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "dnc_launcher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_type, "dnc_fdw launcher", sizeof(worker.bgw_type));
	strlcpy(worker.bgw_name, "dnc_fdw launcher", sizeof(worker.bgw_name));
	RegisterBackgroundWorker(&worker);
}

/* The databases that the setting names, palloc'd; NIL while we are switched off. */
static List *
wanted_databases(void)
{
	List	   *names = NIL;
	ListCell   *lc;

	if (dnc_background)
		(void) SplitIdentifierString(pstrdup(dnc_databases), ',', &names);
	foreach(lc, names)
		truncate_identifier(lfirst(lc), (int) strlen(lfirst(lc)), false);
	return names;
}

/*
 * Look for a database by its name; InvalidOid: there is none.  *usable: the database takes
 * connections.  We read the table without its index: a process without a database can open that
 * only where others have left it in the relation cache's file.
 */
static Oid
look_for_database(const char *name, bool *usable)
{
	Relation	databases = table_open(DatabaseRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(databases, 0, NULL);
	HeapTuple	tuple;
	Oid			oid = InvalidOid;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (strcmp(NameStr(form->datname), name) != 0)
			continue;
		oid = form->oid;
		*usable = form->datallowconn && form->datconnlimit != DROP_WAS_CUT_OFF;
	}
	table_endscan(scan);
	table_close(databases, AccessShareLock);
	return oid;
}

/*
 * The database with a name.  If no scheduler can run in it, *failure says why, and the result is
 * InvalidOid.
 */
static Oid
find_database(const char *name, DncSlotFailure *failure)
{
	bool		usable = false;
	Oid			oid = look_for_database(name, &usable);

	if (usable)
		return oid;
	strlcpy(failure->sqlstate, OidIsValid(oid) ? "55000" : "3D000", sizeof(failure->sqlstate));
	snprintf(failure->message, sizeof(failure->message),
			 OidIsValid(oid) ? "database \"%s\" takes no connections"
			 : "database \"%s\" does not exist", name);
	return InvalidOid;
}

/*
 * The slot for a database of the setting, set up for the database's present OID.  NULL: we have
 * nothing to start, since the scheduler runs, or cannot run, or has to wait.
 */
static DncSlot *
slot_to_start(const char *name, Oid database, const DncSlotFailure *failure)
{
	DncSlot	   *slot = dnc_slot_find_scheduler(name);
	TimestampTz	now = GetCurrentTimestamp();

	if (slot == NULL)
	{
		slot = dnc_slot_take(DNC_SLOT_SCHEDULER, database, InvalidOid);
		if (slot == NULL)
			return NULL;
		namestrcpy(&slot->database_name, name);
	}
	if (slot->database != database)
	{
		if (dnc_slots_stop(slot->database) > 0)
			return NULL;
		slot->database = database;
		dnc_slot_forget_failures(slot);
	}
	if (!OidIsValid(database))
	{
		dnc_slot_fail(slot, failure);
		return NULL;
	}
	if (slot->token != 0 && slot->pid == 0 &&
		TimestampDifferenceExceeds(slot->since, now, LOST_AFTER_MS))
		dnc_slot_lost(slot);
	if (slot->token != 0)
		return NULL;
	/* Somebody has committed work, so the cause of a failure may be gone. */
	if (dnc_slot_has_to_wait(slot, now) && (pg_atomic_read_u32(&slot->work) & DNC_WORK_COMMITTED) == 0)
		return NULL;
	return slot;
}

/* Start the scheduler of a database, unless it runs. */
static void
tend_database(const char *name)
{
	DncSlotFailure failure = {0};
	Oid			database = find_database(name, &failure);
	DncSlot	   *slot;
	char		process_name[BGW_MAXLEN];

	dnc_slots_lock(true);
	slot = slot_to_start(name, database, &failure);
	dnc_slots_unlock();
	if (slot == NULL)
		return;
	pg_atomic_write_u32(&slot->work, 0);
	snprintf(process_name, sizeof(process_name), "dnc_fdw scheduler of %s", name);
	(void) dnc_process_launch(slot, "dnc_scheduler_main", "dnc_fdw scheduler", process_name);
}

/* Does the list have this name? */
static bool
is_in(const List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/* Has a database no process of ours? */
static bool
is_empty(Oid database)
{
	for (int i = 0; i < DNC_SLOTS; i++)
	{
		const DncSlot *slot = dnc_slot_at(i);

		if (slot->taken && slot->database == database && slot->token != 0)
			return false;
	}
	return true;
}

/* Forget all slots of a database that has no process. */
static void
forget_database(const DncSlot *scheduler)
{
	Oid			database = scheduler->database;

	for (int i = 0; i < DNC_SLOTS; i++)
	{
		DncSlot	   *slot = dnc_slot_at(i);

		if (slot->taken &&
			(slot == scheduler || (OidIsValid(database) && slot->database == database)))
			dnc_slot_free(slot);
	}
}

/* Stop our processes in databases that the setting does not name any more. */
static void
stop_others(const List *names)
{
	dnc_slots_lock(true);
	for (int i = 0; i < DNC_SLOTS; i++)
	{
		DncSlot	   *slot = dnc_slot_at(i);

		if (!slot->taken || slot->kind != DNC_SLOT_SCHEDULER ||
			is_in(names, NameStr(slot->database_name)))
			continue;
		if (OidIsValid(slot->database))
			(void) dnc_slots_stop(slot->database);
		if (!OidIsValid(slot->database) || is_empty(slot->database))
			forget_database(slot);
	}
	dnc_slots_unlock();
}

/* Look once for schedulers to start and to stop. */
static void
look_around(MemoryContext context)
{
	MemoryContext before = MemoryContextSwitchTo(context);
	List	   *names = wanted_databases();
	ListCell   *lc;

	stop_others(names);
	dnc_process_begin_transaction();
	foreach(lc, names)
		tend_database(lfirst(lc));
	dnc_process_commit();
	MemoryContextSwitchTo(before);
	MemoryContextReset(context);
}

/* Milliseconds until the next look, or until a scheduler that has failed may start again. */
static int64
time_to_wait(void)
{
	TimestampTz	now = GetCurrentTimestamp();
	TimestampTz	next = TimestampTzPlusMilliseconds(now, dnc_naptime);

	dnc_slots_lock(false);
	for (int i = 0; i < DNC_SLOTS; i++)
	{
		const DncSlot *slot = dnc_slot_at(i);

		if (slot->taken && slot->kind == DNC_SLOT_SCHEDULER && slot->token == 0 &&
			dnc_slot_has_to_wait(slot, now))
			next = Min(next, slot->not_before);
	}
	dnc_slots_unlock();
	return (next - now) / 1000 + 1;
}

/* The launcher's process. */
void
dnc_launcher_main(Datum arg)
{
	MemoryContext context;

	dnc_process_begin_launcher();
	context = AllocSetContextCreate(TopMemoryContext, "dnc_fdw launcher", ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		look_around(context);
		dnc_process_wait(time_to_wait());
	}
}
