/*-------------------------------------------------------------------------
 *
 * held.c
 *		Warnings of additions that came with a copy of a database, and that nobody sends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "utils/builtins.h"

#include "queue/held.h"
#include "queue/statements.h"
#include "queue/table.h"

/* Warn that additions to a server, by its name, came with a copy of a database. */
static void
warn(const char *server, uint64 count)
{
	ereport(WARNING,
			(errmsg("%llu additions in the queue of server \"%s\" are held",
					(unsigned long long) count, server),
			 errdetail("This database is a copy, and the original may send them."),
			 errhint("SELECT dnc_fdw_queue_adopt(); sends them from here.")));
}

/* Warn of the held additions of a server. */
void
dnc_held_warn(Oid serverid)
{
	DncQueueArguments arguments = {0};
	uint64		count;

	dnc_queue_server_arguments(serverid, &arguments);
	count = dnc_queue_run("SELECT FROM " DNC_QUEUE_WAITING " w WHERE " DNC_QUEUE_IS_OF_SERVER
						  " AND " DNC_QUEUE_IS_HELD_ADDITION, &arguments);
	if (count > 0)
		warn(GetForeignServer(serverid)->servername, count);
}

/*
 * Warn of the held additions of all servers, by the servers' names when the rows were written.  No
 * delivery begins for held rows, so none would warn.  Needs an active snapshot.
 */
void
dnc_held_warn_of_all(void)
{
	DncQueueArguments arguments = {0};
	DncQueueQuery query;

	dnc_queue_origin_arguments(&arguments);
	dnc_queue_open(&query, "SELECT w.server::text, count(*) FROM " DNC_QUEUE_WAITING " w WHERE "
				   DNC_QUEUE_IS_HELD_ADDITION " GROUP BY 1 ORDER BY 1", &arguments, true);
	for (uint64 i = 0; i < query.count; i++)
		warn(TextDatumGetCString(dnc_queue_datum(&query, i, 1)),
			 DatumGetInt64(dnc_queue_datum(&query, i, 2)));
	dnc_queue_close(&query);
}
