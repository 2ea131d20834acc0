/*-------------------------------------------------------------------------
 *
 * utility.c
 *		Statements that our processes must not obstruct.
 *
 * PostgreSQL drops, renames, moves and copies a database only if nobody is connected to it.  It
 * waits for five seconds, and gives up.  So we stop our processes in that database before the
 * statement, and keep them off until the statement is over.  DROP EXTENSION wants locks on tables
 * that our processes use, so we stop our processes for that, too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"

#include "compat.h"
#include "queue/table.h"
#include "worker/slots.h"
#include "worker/utility.h"

/* We wait so many milliseconds for our processes to end. */
#define PATIENCE_MS 5000
#define SLICE_MS 20

static ProcessUtility_hook_type previous_hook = NULL;

/* ----- which database? ----- */

/* The option of a statement with this name; NULL: there is none. */
static DefElem *
find_option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem	   *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, name) == 0)
			return option;
	}
	return NULL;
}

/* The database that CREATE DATABASE copies. */
static const char *
template_of(const CreatedbStmt *statement)
{
	DefElem	   *option = find_option(statement->options, "template");

	return option && option->arg ? defGetString(option) : "template1";
}

/* The database that a statement needs without connections; NULL: there is none. */
static const char *
database_of(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_DropdbStmt:
			return ((DropdbStmt *) statement)->dbname;
		case T_CreatedbStmt:
			return template_of((CreatedbStmt *) statement);
		case T_AlterDatabaseStmt:
			return find_option(((AlterDatabaseStmt *) statement)->options, "tablespace")
					   ? ((AlterDatabaseStmt *) statement)->dbname
					   : NULL;
		case T_RenameStmt:
			return ((RenameStmt *) statement)->renameType == OBJECT_DATABASE
					   ? ((RenameStmt *) statement)->subname
					   : NULL;
		default:
			return NULL;
	}
}

/* Does a statement drop our extension? */
static bool
drops_extension(Node *statement)
{
	DropStmt   *drop = (DropStmt *) statement;
	ListCell   *lc;

	if (!IsA(statement, DropStmt) || drop->removeType != OBJECT_EXTENSION)
		return false;
	foreach(lc, drop->objects)
	{
		if (strcmp(strVal(lfirst(lc)), "dnc_fdw") == 0)
			return true;
	}
	return false;
}

/* May the present role create databases? */
static bool
can_create_databases(void)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	bool		can = false;

	if (HeapTupleIsValid(tuple))
	{
		can = ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
		ReleaseSysCache(tuple);
	}
	return can;
}

/* Will PostgreSQL refuse a statement about a database for want of rights? */
static bool
is_refused(Node *statement, Oid database)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	bool		refused = true;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		refused = !has_privs_of_role(GetUserId(), form->datdba) &&
				  !(IsA(statement, CreatedbStmt) && form->datistemplate && can_create_databases());
		ReleaseSysCache(tuple);
	}
	return refused;
}

/*
 * The database in which our processes have to be stopped for a statement; InvalidOid: none.
 * A statement that fails for want of rights stops nobody.
 */
static Oid
database_to_clear(Node *statement, ProcessUtilityContext context)
{
	const char *name = database_of(statement);
	Oid			database = InvalidOid;

	if (name && context == PROCESS_UTILITY_TOPLEVEL && !IsTransactionBlock())
		database = get_database_oid(name, true);
	if (OidIsValid(database) && !is_refused(statement, database))
		return database;
	if (drops_extension(statement) &&
		has_privs_of_role(GetUserId(),
						  dnc_queue_owner_of(dnc_queue_relation("dnc_fdw_queue_waiting"))))
		return MyDatabaseId;
	return InvalidOid;
}

/* ----- stopping ----- */

/* before_shmem_exit */
static void
release_at_exit(int code, Datum arg)
{
	dnc_slots_release();
}

/*
 * Keep our processes off a database from now on.  False: no scheduler of ours runs there, or too
 * many statements do so already.
 */
static bool
hold(Oid database)
{
	static bool	registered = false;
	bool		ours;

	dnc_slots_lock(false);
	ours = dnc_slot_find(DNC_SLOT_SCHEDULER, database, InvalidOid) != NULL;
	dnc_slots_unlock();
	if (!ours || !dnc_slots_hold(database))
		return false;
	if (!registered)
		before_shmem_exit(release_at_exit, (Datum) 0);
	registered = true;
	return true;
}

/* Stop our processes in a database, and wait until they have ended, up to PATIENCE_MS. */
static void
stop_processes(Oid database)
{
	for (int waited = 0; waited < PATIENCE_MS; waited += SLICE_MS)
	{
		int			left;

		dnc_slots_lock(true);
		left = dnc_slots_stop(database);
		dnc_slots_unlock();
		if (left == 0)
			return;
		if (WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, SLICE_MS,
					  PG_WAIT_EXTENSION) &
			WL_LATCH_SET)
			ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Run a statement by the previous hook, or as PostgreSQL does. */
static void
run(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
	ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest,
	QueryCompletion *completion)
{
	(previous_hook ? previous_hook : standard_ProcessUtility)(
		pstmt, query, read_only_tree, context, params, environment, dest, completion);
}

/* Keep our processes off the database that a statement is about.  InvalidOid: we hold none. */
static Oid
hold_for(Node *statement, ProcessUtilityContext context)
{
	Oid			database;

	if (!dnc_slots_exist() || RecoveryInProgress())
		return InvalidOid;
	database = database_to_clear(statement, context);
	return OidIsValid(database) && hold(database) ? database : InvalidOid;
}

/* Run a statement without our processes in a database that is held. */
static void
run_held(Oid database, PlannedStmt *pstmt, const char *query, bool read_only_tree,
		 ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *environment,
		 DestReceiver *dest, QueryCompletion *completion)
{
	PG_TRY();
	{
		stop_processes(database);
		run(pstmt, query, read_only_tree, context, params, environment, dest, completion);
	}
	PG_CATCH();
	{
		dnc_slots_release();
		PG_RE_THROW();
	}
	PG_END_TRY();
	dnc_slots_release();
}

/* ProcessUtility_hook */
static void
clear_and_run(PlannedStmt *pstmt, const char *query, bool read_only_tree,
			  ProcessUtilityContext context, ParamListInfo params,
			  QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	Oid			database = hold_for(pstmt->utilityStmt, context);

	if (OidIsValid(database))
		run_held(database, pstmt, query, read_only_tree, context, params, environment, dest,
				 completion);
	else
		run(pstmt, query, read_only_tree, context, params, environment, dest, completion);
}

/* For _PG_init(), where the library is preloaded: take part in all utility statements. */
void
dnc_utility_init(void)
{
	previous_hook = ProcessUtility_hook;
	ProcessUtility_hook = clear_and_run;
}
