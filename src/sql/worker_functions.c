/*-------------------------------------------------------------------------
 *
 * worker_functions.c
 *		Functions about our background processes, as users call them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "worker/process.h"
#include "worker/schedule.h"

#define WORKERS_COLUMNS 10

PG_FUNCTION_INFO_V1(dnc_fdw_get_workers);
PG_FUNCTION_INFO_V1(dnc_fdw_mirror_schedule);

/* A name as a datum. */
static Datum
name_datum(const char *name)
{
	return DirectFunctionCall1(namein, CStringGetDatum(name));
}

/* A text from another database, which may have another encoding. */
static char *
foreign_text(const char *text, Oid database)
{
	char	   *copy = pstrdup(text);

	for (char *c = copy; *c && database != MyDatabaseId; c++)
	{
		if (IS_HIGHBIT_SET(*c))
			*c = '?';
	}
	return copy;
}

/* May the caller, who is no member of pg_read_all_stats, see what a slot is about? */
static bool
may_see(const DncSlot *slot)
{
	if (slot->kind == DNC_SLOT_SCHEDULER)
		return true;
	if (slot->database != MyDatabaseId)
		return false;
	if (slot->kind == DNC_SLOT_DELIVERY)
		return SearchSysCacheExists1(FOREIGNSERVEROID, ObjectIdGetDatum(slot->subject)) &&
			   dnc_server_aclcheck(slot->subject, GetUserId()) == ACLCHECK_OK;
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(slot->subject)) &&
		   pg_class_aclcheck(slot->subject, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

/* The state of a slot's process, in a word. */
static const char *
state_of(const DncSlot *slot)
{
	if (slot->pid != 0)
		return slot->idle ? "idle" : "running";
	if (slot->token != 0)
		return "starting";
	return slot->failures > 0 ? "failed" : "ended";
}

/* The name of the database of a slot; NULL: it was dropped. */
static const char *
database_of(const DncSlot *slot)
{
	if (slot->kind == DNC_SLOT_SCHEDULER)
		return foreign_text(NameStr(slot->database_name), slot->database);
	return get_database_name(slot->database);
}

/* Add the row of a slot. */
static void
put_slot(ReturnSetInfo *result, const DncSlot *slot)
{
	static const char *const kinds[] = {[DNC_SLOT_SCHEDULER] = "scheduler",
										[DNC_SLOT_DELIVERY] = "delivery",
										[DNC_SLOT_MIRROR] = "mirror"};
	const char *database = database_of(slot);
	bool		failed = slot->message[0] != '\0';
	Datum		values[WORKERS_COLUMNS] = {0};
	bool		nulls[WORKERS_COLUMNS] = {0};

	values[0] = CStringGetTextDatum(kinds[slot->kind]);
	nulls[1] = database == NULL;
	if (database)
		values[1] = name_datum(database);
	values[2] = ObjectIdGetDatum(slot->subject);
	nulls[2] = !OidIsValid(slot->subject);
	values[3] = Int32GetDatum(slot->pid);
	nulls[3] = slot->pid == 0;
	values[4] = CStringGetTextDatum(state_of(slot));
	values[5] = TimestampTzGetDatum(slot->since);
	values[6] = Int32GetDatum(slot->failures);
	values[7] = TimestampTzGetDatum(slot->not_before);
	nulls[7] = slot->pid != 0 || slot->not_before == 0;
	nulls[8] = nulls[9] = !failed;
	if (failed)
	{
		values[8] = CStringGetTextDatum(slot->sqlstate);
		values[9] = CStringGetTextDatum(foreign_text(slot->message, slot->database));
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* The reason why nothing runs in the background; NULL: we do run. */
static const char *
idle_reason(void)
{
	if (!dnc_slots_exist())
		return "dnc_fdw is not in shared_preload_libraries";
	if (!dnc_background)
		return "dnc_fdw.background is off";
	if (dnc_databases[0] == '\0')
		return "dnc_fdw.databases is empty";
	return NULL;
}

/* Add the row of the launcher. */
static void
put_launcher(ReturnSetInfo *result, int pid)
{
	const char *reason = idle_reason();
	Datum		values[WORKERS_COLUMNS] = {0};
	bool		nulls[WORKERS_COLUMNS] = {0};

	memset(nulls, true, sizeof(nulls));
	nulls[0] = nulls[4] = false;
	values[0] = CStringGetTextDatum("launcher");
	values[3] = Int32GetDatum(pid);
	nulls[3] = pid == 0;
	values[4] = CStringGetTextDatum(pid != 0 ? "running" : "ended");
	nulls[9] = reason == NULL;
	if (reason)
		values[9] = CStringGetTextDatum(reason);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * dnc_fdw_get_workers(): our background processes, a row each, including those that have failed.
 * Members of pg_read_all_stats see all rows.  Others see the launcher, the schedulers, and the
 * processes for servers and tables of this database that they may use.
 */
Datum
dnc_fdw_get_workers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		sees_all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	DncSlot	   *copies = palloc(sizeof(DncSlot) * DNC_SLOTS);
	int			launcher = 0;
	int			count = 0;

	InitMaterializedSRF(fcinfo, 0);
	if (dnc_slots_exist())
	{
		dnc_slots_lock(false);
		launcher = dnc_slots_launcher();
		for (int i = 0; i < DNC_SLOTS; i++)
		{
			if (dnc_slot_at(i)->taken)
				copies[count++] = *dnc_slot_at(i);
		}
		dnc_slots_unlock();
	}
	put_launcher(result, launcher);
	for (int i = 0; i < count; i++)
	{
		if (sees_all || may_see(&copies[i]))
			put_slot(result, &copies[i]);
	}
	return (Datum) 0;
}

/*
 * dnc_fdw_mirror_schedule(source, full_every, delta_every, run_as): see dnc_schedule_set().
 * Without run_as the caller's role is used.
 */
Datum
dnc_fdw_mirror_schedule(PG_FUNCTION_ARGS)
{
	DncScheduleRequest request = {0};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("source must not be NULL")));
	request.source = PG_GETARG_OID(0);
	request.full_every = PG_ARGISNULL(1) ? NULL : PG_GETARG_INTERVAL_P(1);
	request.delta_every = PG_ARGISNULL(2) ? NULL : PG_GETARG_INTERVAL_P(2);
	request.run_as = PG_ARGISNULL(3) ? GetUserId() : PG_GETARG_OID(3);
	dnc_schedule_set(&request);
	PG_RETURN_VOID();
}
