/*-------------------------------------------------------------------------
 *
 * allowance.c
 *		The requests that accounts may send, as far as we know.
 *
 * The allowances are in shared memory (shmem.c).  If there is none, or no room for an
 * allowance, each session has its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/hsearch.h"

#include "request/allowance.h"
#include "shmem.h"

/* Most allowances in shared memory; microseconds for which we keep an unused one. */
#define MAX_SHARED 256
#define KEPT INT64CONST(300000000)

typedef struct SharedAllowances
{
	DncSharedLock lock;			/* guards everything below */
	int			count;
	DncAllowance allowances[MAX_SHARED];
} SharedAllowances;

static void init_shared(void *memory);

/* Change the number with the layout. */
static DncSharedArea shared_area = {
	.name = "dnc_fdw 2", .size = sizeof(SharedAllowances), .init = init_shared};

static SharedAllowances *shared = NULL;

/* This session's own allowances, outside of shared memory. */
static HTAB *own_allowances = NULL;

/* Set up the shared memory. */
static void
init_shared(void *memory)
{
	SharedAllowances *all = memory;

	dnc_shmem_init_lock(&all->lock);
	all->count = 0;
}

/* For _PG_init(): reserve the memory, if the library is preloaded. */
void
dnc_allowance_register(void)
{
	dnc_shmem_register(&shared_area);
}

/* A new allowance, with nothing known. */
static void
begin_allowance(DncAllowance *allowance, const DncAllowanceKey *key)
{
	memset(allowance, 0, sizeof(DncAllowance));
	allowance->key = *key;
	allowance->remaining = DNC_RATE_UNKNOWN;
}

/* May we forget an allowance that was not used for long? */
static bool
is_idle(const DncAllowance *allowance, int64 now)
{
	return now - allowance->used > KEPT && now > allowance->paused_until && now > allowance->end;
}

/*
 * The shared allowance of a key; with make, a new one if needed.  NULL: there is none, or no
 * room for a new one.  The caller holds the lock.
 */
static DncAllowance *
find_shared(const DncAllowanceKey *key, bool make, int64 now)
{
	DncAllowance *room = NULL;

	for (int i = 0; i < shared->count; i++)
	{
		DncAllowance *allowance = &shared->allowances[i];

		if (memcmp(&allowance->key, key, sizeof(*key)) == 0)
			return allowance;
		if (room == NULL && is_idle(allowance, now))
			room = allowance;
	}
	if (!make)
		return NULL;
	if (room == NULL && shared->count < MAX_SHARED)
		room = &shared->allowances[shared->count++];
	if (room)
		begin_allowance(room, key);
	return room;
}

/* Forget those of this session's own allowances that were not used for long. */
static void
forget_own(int64 now)
{
	HASH_SEQ_STATUS status;
	DncAllowance *allowance;

	hash_seq_init(&status, own_allowances);
	while ((allowance = hash_seq_search(&status)) != NULL)
	{
		if (is_idle(allowance, now))
			hash_search(own_allowances, &allowance->key, HASH_REMOVE, NULL);
	}
}

/* This session's own allowance of a key; with make, a new one if needed.  NULL: there is none. */
static DncAllowance *
find_own(const DncAllowanceKey *key, bool make, int64 now)
{
	DncAllowance *allowance;

	if (own_allowances == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(DncAllowanceKey), .entrysize = sizeof(DncAllowance)};

		if (!make)
			return NULL;
		own_allowances = hash_create("dnc_fdw allowances", 8, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	allowance = hash_search(own_allowances, key, HASH_FIND, NULL);
	if (allowance || !make)
		return allowance;
	forget_own(now);
	allowance = hash_search(own_allowances, key, HASH_ENTER, NULL);
	begin_allowance(allowance, key);
	return allowance;
}

/*
 * The allowance for a server and its user mapping; NULL: make is false, and there is none.
 * Once a session has its own allowance, it keeps that one, because requests are counted there.
 * Call dnc_allowance_unlock() afterwards, even after NULL.
 */
DncAllowance *
dnc_allowance_lock(Oid serverid, Oid mapping, bool make, int64 now)
{
	DncAllowanceKey key = {MyDatabaseId, serverid, mapping};
	DncAllowance *allowance = find_own(&key, false, now);

	shared = dnc_shmem_attach(&shared_area);
	if (allowance == NULL && shared)
	{
		LWLockAcquire(&shared->lock.lock, LW_EXCLUSIVE);
		allowance = find_shared(&key, make, now);
		if (allowance == NULL)
			LWLockRelease(&shared->lock.lock);
	}
	if (allowance == NULL && make)
		allowance = find_own(&key, true, now);
	if (allowance)
		allowance->used = now;
	return allowance;
}

/* Release the lock of the shared allowances, if we hold it. */
void
dnc_allowance_unlock(void)
{
	if (shared && LWLockHeldByMe(&shared->lock.lock))
		LWLockRelease(&shared->lock.lock);
}
