/*-------------------------------------------------------------------------
 *
 * counters.c
 *		Counts of requests: for one scan or write, for EXPLAIN; for the session, by server, for
 *		dnc_fdw_stats(); and for the cluster, for dnc_fdw_totals().
 *
 * This file adds to all of them at once, so they cannot contradict each other.  An error
 * or a rollback takes nothing back: we count what went over the wire.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/hsearch.h"

#include "request/counters.h"

/*
 * The session's counts, by server.  An entry stays until the session ends, because counters of
 * scans and writes point to it.
 */
static HTAB *servers = NULL;

/*
 * From now on, session and cluster count the same for a server, and requests are charged to a
 * budget.  *budget must outlive *counters.
 */
void
dnc_counters_begin(DncCounters *counters, const DncOptions *options, DncBudget *budget)
{
	bool		found;

	if (servers == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(Oid), .entrysize = sizeof(DncServerCounters)};

		servers = hash_create("dnc_fdw servers of the session", 8, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	counters->session = hash_search(servers, &options->serverid, HASH_ENTER, &found);
	if (!found)
	{
		memset(counters->session->counts, 0, sizeof(counters->session->counts));
		counters->session->cluster = NULL;
	}
	counters->session->cluster = dnc_totals_find(counters->session->cluster,
												 options->server_name);
	counters->budget = budget;
}

/* Add to a count, everywhere. */
void
dnc_counters_add(DncCounters *counters, DncCount what, int64 more)
{
	counters->counts[what] += more;
	counters->session->counts[what] += more;
	dnc_totals_add(counters->session->cluster, what, more);
	dnc_progress_count(counters->progress, what, more);
}

/*
 * The session's counts since the last reset: a list of const DncServerCounters *, palloc'd, in
 * no order.  Servers with nothing but zeros are left out.
 */
List *
dnc_counters_servers(void)
{
	const int64 nothing[DNC_NCOUNTS] = {0};
	List	   *list = NIL;
	HASH_SEQ_STATUS status;
	DncServerCounters *server;

	if (servers == NULL)
		return NIL;
	hash_seq_init(&status, servers);
	while ((server = hash_seq_search(&status)) != NULL)
	{
		if (memcmp(server->counts, nothing, sizeof(nothing)) != 0)
			list = lappend(list, server);
	}
	return list;
}

/* Set the session's counts to zero; those of scans and writes go on. */
void
dnc_counters_reset(void)
{
	HASH_SEQ_STATUS status;
	DncServerCounters *server;

	if (servers == NULL)
		return;
	hash_seq_init(&status, servers);
	while ((server = hash_seq_search(&status)) != NULL)
		memset(server->counts, 0, sizeof(server->counts));
}
