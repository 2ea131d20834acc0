/*-------------------------------------------------------------------------
 *
 * settings.c
 *		The settings dnc_fdw.*.
 *
 * The variables are in the modules that use them.  We define all settings here, so a
 * reader finds them, their ranges and their rights in one file.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"
#include "utils/varlena.h"

#include "queue/forget.h"
#include "request/call.h"
#include "request/max_requests.h"
#include "request/rate_limit.h"
#include "request/request_log.h"
#include "settings.h"
#include "worker/process.h"

/* GUC check_hook of dnc_fdw.databases: a list of names. */
static bool
check_databases(char **newval, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*newval);
	List	   *names;
	bool		is_list = SplitIdentifierString(copy, ',', &names);

	if (!is_list)
		GUC_check_errdetail("It is a list of names of databases, separated by commas.");
	list_free(names);
	pfree(copy);
	return is_list;
}

/* Define the settings of the background processes. */
static void
define_worker_settings(void)
{
	DefineCustomStringVariable("dnc_fdw.databases",
							   "Databases in which queues are delivered and mirrors refreshed in the background.",
							   "It takes shared_preload_libraries = 'dnc_fdw'.",
							   &dnc_databases, "", PGC_SIGHUP, GUC_LIST_INPUT,
							   check_databases, NULL, NULL);
	DefineCustomBoolVariable("dnc_fdw.background",
							 "Lets background processes work.",
							 "Off stops those that run.",
							 &dnc_background, true, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("dnc_fdw.naptime",
							"Time after which background processes look for work that nobody has announced.",
							NULL,
							&dnc_naptime, 10000, 100, 3600000, PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
}

/*
 * For _PG_init(): define our settings, and reserve their prefix, so that PostgreSQL notices a
 * misspelt setting.
 */
void
dnc_settings_define(void)
{
	DefineCustomBoolVariable("dnc_fdw.log_requests",
							 "Writes each request to the server's log.",
							 "A line has server, method, path, status, time and size, and neither identifiers nor tokens.",
							 &dnc_log_requests, false, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("dnc_fdw.max_requests",
							"Requests that one statement may send to a server.",
							"0 sets no limit of its own. The smallest of this and the option max_requests of server and user mapping counts.",
							&dnc_max_requests, 0, 0, INT_MAX, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("dnc_fdw.wait_notice",
							"Waits for a rate limit that are longer than this are announced.",
							"-1 means that none is.",
							&dnc_wait_notice, 5000, -1, INT_MAX, PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("dnc_fdw.keep_done",
							"Time for which writes of the queue are kept after they are over.",
							NULL,
							&dnc_keep_done, 2592000, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomIntVariable("dnc_fdw.reserve",
							"Requests a minute that background processes leave to people.",
							"It is never more than half of what the rate limit allows.",
							&dnc_reserve, 10, 0, INT_MAX, PGC_SIGHUP, 0, NULL, NULL, NULL);
	define_worker_settings();
	MarkGUCPrefixReserved("dnc_fdw");
}
