/*-------------------------------------------------------------------------
 *
 * totals.c
 *		Counts of the requests of all sessions of the cluster, by server: for dnc_fdw_totals().
 *
 * The counts are in shared memory.  They begin with the start of the cluster, or with
 * the first request if the memory comes from the DSM registry.  If there is no shared
 * memory (shmem.c), we count nothing here.
 *
 * A server is known by its name and the name of its database.  These are the labels of a
 * monitoring system's time series, so a server that is dropped and made again goes on
 * counting where it was.  There is room for MAX_SERVERS servers.  All servers that come
 * later share the first place, and are counted together.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "request/totals.h"
#include "shmem.h"

#define MAX_SERVERS 256

/* A place's names are written once, before "count" includes the place; counts need no lock. */
struct DncTotalsPlace
{
	NameData	database;		/* database and server are empty: all servers without a place */
	NameData	server;
	pg_atomic_uint64 counts[DNC_NCOUNTS];
};

typedef struct SharedTotals
{
	DncSharedLock lock;			/* guards count and names */
	TimestampTz since;
	int			count;			/* places taken; the first one always is */
	DncTotalsPlace places[1 + MAX_SERVERS];
} SharedTotals;

static void init_shared(void *memory);

/* Change the number with the layout. */
static DncSharedArea shared_area = {.name = "dnc_fdw totals 1", .size = sizeof(SharedTotals),
.init = init_shared};

/* Set up the shared memory. */
static void
init_shared(void *memory)
{
	SharedTotals *all = memory;

	memset(all, 0, sizeof(*all));
	dnc_shmem_init_lock(&all->lock);
	all->since = GetCurrentTimestamp();
	all->count = 1;
	for (int i = 0; i <= MAX_SERVERS; i++)
	{
		for (int what = 0; what < DNC_NCOUNTS; what++)
			pg_atomic_init_u64(&all->places[i].counts[what], 0);
	}
}

/* For _PG_init(): reserve the memory, if the library is preloaded. */
void
dnc_totals_init(void)
{
	dnc_shmem_register(&shared_area);
}

/* The name of our database; NULL: we cannot look it up now. */
static const char *
database_name(void)
{
	/* PostgreSQL does not rename a database while somebody is connected to it. */
	static NameData name = {""};

	if (NameStr(name)[0] == '\0' && IsTransactionState())
	{
		char	   *found = get_database_name(MyDatabaseId);

		if (found)
		{
			namestrcpy(&name, found);
			pfree(found);
		}
	}
	return NameStr(name)[0] == '\0' ? NULL : NameStr(name);
}

/* Find the place of a server, or give it a place.  The caller holds the lock. */
static DncTotalsPlace *
find_place(SharedTotals *all, const char *database, const char *server)
{
	DncTotalsPlace *place;

	for (int i = 1; i < all->count; i++)
	{
		place = &all->places[i];
		if (strcmp(NameStr(place->server), server) == 0 &&
			strcmp(NameStr(place->database), database) == 0)
			return place;
	}
	if (all->count > MAX_SERVERS)
		return &all->places[0];
	place = &all->places[all->count++];
	namestrcpy(&place->database, database);
	namestrcpy(&place->server, server);
	return place;
}

/*
 * The place of a server of our database; NULL: there is no shared memory.  known is the
 * server's previous place or NULL; the server may have been renamed since.
 */
DncTotalsPlace *
dnc_totals_find(DncTotalsPlace *known, const char *server_name)
{
	SharedTotals *all;
	const char *database;

	if (known && strcmp(NameStr(known->server), server_name) == 0)
		return known;
	all = dnc_shmem_attach(&shared_area);
	if (all == NULL)
		return NULL;
	database = database_name();
	if (database == NULL)
		return &all->places[0];
	LWLockAcquire(&all->lock.lock, LW_EXCLUSIVE);
	known = find_place(all, database, server_name);
	LWLockRelease(&all->lock.lock);
	return known;
}

/* Add to a count of a server; place may be NULL. */
void
dnc_totals_add(DncTotalsPlace *place, DncCount what, int64 more)
{
	if (place)
		pg_atomic_fetch_add_u64(&place->counts[what], more);
}

/*
 * All counts: a list of DncTotals *, palloc'd, in the order in which the servers came, and the
 * time when counting began.  False: there is no shared memory.
 */
bool
dnc_totals_read(List **totals, TimestampTz *since)
{
	SharedTotals *all = dnc_shmem_attach(&shared_area);
	int			count;

	if (all == NULL)
		return false;
	LWLockAcquire(&all->lock.lock, LW_SHARED);
	count = all->count;
	LWLockRelease(&all->lock.lock);
	*totals = NIL;
	*since = all->since;
	for (int i = 0; i < count; i++)
	{
		DncTotals  *copy = palloc(sizeof(DncTotals));
		DncTotalsPlace *place = &all->places[i];

		copy->database = place->database;
		copy->server = place->server;
		for (int what = 0; what < DNC_NCOUNTS; what++)
			copy->counts[what] = (int64) pg_atomic_read_u64(&place->counts[what]);
		*totals = lappend(*totals, copy);
	}
	return true;
}
