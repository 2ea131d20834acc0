/*-------------------------------------------------------------------------
 *
 * allowance.c
 *		What is known of the requests that accounts are allowed.
 *
 * The allowances are in shared memory (shmem.c).  Where there is none, and for an
 * allowance that finds no room there, each session has its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/hsearch.h"

#include "request/allowance.h"
#include "shmem.h"

/* Allowances in shared memory, and for how many microseconds one is kept that is not used. */
#define MAX_SHARED 256
#define KEPT INT64CONST(300000000)

typedef struct SharedAllowances
{
	DncSharedLock lock;			/* over all that follows */
	int			count;
	DncAllowance allowances[MAX_SHARED];
} SharedAllowances;

static void init_shared(void *memory);

/* The number changes with the layout. */
static DncSharedArea shared_area = {
	.name = "dnc_fdw 2", .size = sizeof(SharedAllowances), .init = init_shared};

static SharedAllowances *shared = NULL;

/* This session's own, those that are not shared. */
static HTAB *own_allowances = NULL;

/* Set up the shared memory. */
static void
init_shared(void *memory)
{
	SharedAllowances *all = memory;

	dnc_shmem_init_lock(&all->lock);
	all->count = 0;
}

/* For _PG_init(): have the memory reserved where the library is preloaded. */
void
dnc_allowance_register(void)
{
	dnc_shmem_register(&shared_area);
}

/* A new allowance, of which nothing is known. */
static void
begin_allowance(DncAllowance *allowance, const DncAllowanceKey *key)
{
	memset(allowance, 0, sizeof(DncAllowance));
	allowance->key = *key;
	allowance->remaining = DNC_RATE_UNKNOWN;
}

/* May an allowance that was not used for so long be forgotten? */
static bool
is_idle(const DncAllowance *allowance, int64 now)
{
	return now - allowance->used > KEPT && now > allowance->paused_until && now > allowance->end;
}

/*
 * The shared allowance of a key, a new one if make says so; NULL: there is
 * none, or no room for it.  With the lock held.
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

/* Forget this session's own allowances that were not used for long. */
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

/* This session's own allowance of a key, made if make says so; NULL: none. */
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
 * The allowance for a server and its user mapping; NULL: make is false, and
 * there is none.  One that has become a session's own stays so, as there are
 * requests that count on it.  dnc_allowance_unlock() has to follow.
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

/* Let go of an allowance, if there was one. */
void
dnc_allowance_unlock(void)
{
	if (shared && LWLockHeldByMe(&shared->lock.lock))
		LWLockRelease(&shared->lock.lock);
}
