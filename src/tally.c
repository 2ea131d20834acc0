/*-------------------------------------------------------------------------
 *
 * tally.c
 *		What requests came to: of one scan or write, for EXPLAIN, and of the
 *		session, by server, for dnc_fdw_stats().
 *
 * Both are counted here in one go, so that they cannot tell different stories.
 * A tally looks its server up once, at its first request.  An error or a
 * rollback takes nothing back: this is about what went over the wire.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/hsearch.h"

#include "tally.h"

/* The session's, by server.  An entry stays until the session ends, as tallies point to it. */
static HTAB *servers = NULL;

/* Have the session count along for a server what a tally counts from now on. */
void
dnc_tally_begin(DncTally *tally, Oid serverid)
{
	bool		found;

	if (tally->session)
		return;
	if (servers == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(Oid), .entrysize = sizeof(DncServerTally)};

		servers = hash_create("dnc_fdw servers of the session", 8, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	tally->session = hash_search(servers, &serverid, HASH_ENTER, &found);
	if (!found)
		memset(tally->session->counts, 0, sizeof(tally->session->counts));
}

/* Count something. */
void
dnc_tally_add(DncTally *tally, DncCount what, int64 more)
{
	tally->counts[what] += more;
	tally->session->counts[what] += more;
}

/*
 * What the session has counted since the last reset: a list of const
 * DncServerTally *, palloc'd, in no order, of the servers with anything to tell.
 */
List *
dnc_tally_servers(void)
{
	const int64 nothing[DNC_NCOUNTS] = {0};
	List	   *list = NIL;
	HASH_SEQ_STATUS status;
	DncServerTally *server;

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

/* Begin the session's counts anew; those of scans and writes go on. */
void
dnc_tally_reset(void)
{
	HASH_SEQ_STATUS status;
	DncServerTally *server;

	if (servers == NULL)
		return;
	hash_seq_init(&status, servers);
	while ((server = hash_seq_search(&status)) != NULL)
		memset(server->counts, 0, sizeof(server->counts));
}
