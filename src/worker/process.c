/*-------------------------------------------------------------------------
 *
 * process.c
 *		The beginning, the waiting and the end of a background process.
 *
 * An error ends the process: PostgreSQL logs it, aborts the transaction, and releases all locks.
 * We listen to the log, so that the slot shows the error.  That includes errors from before our
 * own code runs: a role that cannot log in, for example.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"

#include "compat.h"
#include "request/rate_limit.h"
#include "worker/process.h"

char *dnc_databases = NULL;
bool  dnc_background = true;
int	  dnc_naptime = 10000;

/* The failure of this process; no message: none. */
static DncSlotFailure failure;

static emit_log_hook_type previous_log_hook = NULL;

/* ----- launching ----- */

/* No process can be launched: put the reason into the slot, and once into the log. */
static void
refuse_launch(DncSlot *slot, const char *name)
{
	static const DncSlotFailure no_room = {
		.sqlstate = "53400",
		.message = "no background process could be started: max_worker_processes is too low"};
	bool		known;

	dnc_slots_lock(true);
	known = strcmp(slot->message, no_room.message) == 0;
	dnc_slot_not_launched(slot, &no_room);
	dnc_slots_unlock();
	if (!known)
		ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("could not start \"%s\"", name),
			 errdetail("All background processes that max_worker_processes allows are in use."),
			 errhint(
				 "Raise max_worker_processes, and restart the server. Until then it is tried again and again.")));
}

/*
 * Launch a process for a slot that has none.  function is one of this library; type and name show
 * in pg_stat_activity what kind of process it is, and what it does.  False: PostgreSQL has no
 * room for the process, or it is not wanted.
 */
bool
dnc_process_launch(DncSlot *slot, const char *function, const char *type, const char *name)
{
	BackgroundWorker worker = {0};
	DncSlotTicket ticket;
	bool		wanted;

	dnc_slots_lock(true);
	wanted = dnc_slot_launched(slot, &ticket);
	dnc_slots_unlock();
	if (!wanted)
		return false;
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "dnc_fdw", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, function, sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_type, type, sizeof(worker.bgw_type));
	strlcpy(worker.bgw_name, name, sizeof(worker.bgw_name));
	memcpy(worker.bgw_extra, &ticket, sizeof(ticket));
	worker.bgw_notify_pid = MyProcPid;
	if (RegisterDynamicBackgroundWorker(&worker, NULL))
		return true;
	refuse_launch(slot, name);
	return false;
}

/* ----- beginning and ending ----- */

/* emit_log_hook: keep the error that ends this process. */
static void
keep_error(ErrorData *edata)
{
	if (edata->elevel >= ERROR && edata->message)
	{
		int length =
			pg_mbcliplen(edata->message, (int) strlen(edata->message), DNC_SLOT_MESSAGE - 1);

		strlcpy(failure.sqlstate, unpack_sql_state(edata->sqlerrcode), sizeof(failure.sqlstate));
		strlcpy(failure.message, edata->message, length + 1);
	}
	if (previous_log_hook)
		previous_log_hook(edata);
}

/* The process has failed, without an error that PostgreSQL would log. */
void
dnc_process_fail(int sqlstate, const char *message)
{
	strlcpy(failure.sqlstate, unpack_sql_state(sqlstate), sizeof(failure.sqlstate));
	strlcpy(failure.message, message, sizeof(failure.message));
}

/*
 * on_shmem_exit.  We register this before PostgreSQL counts the process to a database, so it runs
 * when PostgreSQL no longer does.
 */
static void
leave(int code, Datum arg)
{
	if (code != 0 && failure.message[0] == '\0')
		dnc_process_fail(ERRCODE_INTERNAL_ERROR, "the process has ended by itself");
	dnc_slot_leave((DncSlot *) DatumGetPointer(arg), failure.message[0] ? &failure : NULL);
}

/* The common beginning of all our processes. */
static void
begin(void)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	pqsignal(SIGINT, StatementCancelHandler);
	BackgroundWorkerUnblockSignals();
	previous_log_hook = emit_log_hook;
	emit_log_hook = keep_error;
	dnc_rate_limit_background = true;
}

/*
 * Begin the process that was launched for a slot.  Ends the process if it is not wanted any more.
 */
DncSlot *
dnc_process_begin(void)
{
	DncSlotTicket ticket;

	memcpy(&ticket, MyBgworkerEntry->bgw_extra, sizeof(ticket));
	if (!dnc_slots_exist() || !dnc_slot_enter(&ticket))
		proc_exit(0);
	on_shmem_exit(leave, PointerGetDatum(dnc_slot_at(ticket.index)));
	begin();
	return dnc_slot_at(ticket.index);
}

/* Begin the launcher's process. */
void
dnc_process_begin_launcher(void)
{
	dnc_slots_enter_launcher();
	begin();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	dnc_process_report("");
}

/* Set a setting for as long as the process runs, whatever roles and databases say. */
static void
set(const char *name, const char *value)
{
	if (GetConfigOption(name, true, false))
		SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

/*
 * Connect to the database of a slot, as its role.  We lift limits of time, which are meant for
 * people, and fix the kind of our transactions, whatever the settings.
 */
void
dnc_process_connect(const DncSlot *slot)
{
	BackgroundWorkerInitializeConnectionByOid(slot->database, slot->role, 0);
	set("statement_timeout", "0");
	set("lock_timeout", "0");
	set("transaction_timeout", "0");
	set("idle_in_transaction_session_timeout", "0");
	set("default_transaction_read_only", "off");
	set("default_transaction_deferrable", "off");
	set("default_transaction_isolation", "read committed");
	SetConfigOption("application_name", MyBgworkerEntry->bgw_name, PGC_USERSET, PGC_S_SESSION);
	dnc_process_report("");
}

/* Show the activity of the process in pg_stat_activity; an empty text: it waits for work. */
void
dnc_process_report(const char *activity)
{
	if (activity[0])
		pgstat_report_activity(STATE_RUNNING, activity);
	else
		pgstat_report_activity(STATE_IDLE, NULL);
}

/* ----- transactions, and the time between them ----- */

/* Begin a transaction.  The current memory context stays. */
void
dnc_process_begin_transaction(void)
{
	MemoryContext before = CurrentMemoryContext;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	MemoryContextSwitchTo(before);
}

/* Commit the transaction.  The current memory context stays. */
void
dnc_process_commit(void)
{
	MemoryContext before = CurrentMemoryContext;

	CommitTransactionCommand();
	MemoryContextSwitchTo(before);
	pgstat_report_stat(false);
}

/*
 * Wait until somebody sets this process's latch, or for so many milliseconds.  Serves
 * interrupts, and reads the settings again when they have changed.
 */
void
dnc_process_wait(int64 ms)
{
	static uint32 event = 0;
	int			events;

	if (event == 0)
		event = dnc_wait_event("DncFdwWork");
	events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, Max(ms, 0), event);
	if (events & WL_LATCH_SET)
		ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}
