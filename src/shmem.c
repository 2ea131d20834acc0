/*-------------------------------------------------------------------------
 *
 * shmem.c
 *		Memory that all sessions of the cluster share, in areas.
 *
 * With shared_preload_libraries, the areas are part of the main shared memory.
 * Otherwise they come from the DSM registry, if PostgreSQL has one.  An older version
 * has no areas then, and each session keeps a state of its own instead.
 *
 * Only this file knows the hooks.  A module describes its area, registers it in
 * _PG_init(), and attaches to it when needed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#include "compat.h"
#include "shmem.h"

/* The registered areas. */
static DncSharedArea *areas = NULL;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

/* Set up the lock at the beginning of a new area. */
void
dnc_shmem_init_lock(DncSharedLock *lock)
{
	lock->tranche = LWLockNewTrancheId();
	LWLockInitialize(&lock->lock, lock->tranche);
}

/* shmem_request_hook */
static void
request_areas(void)
{
	if (previous_request_hook)
		previous_request_hook();
	for (DncSharedArea *area = areas; area; area = area->next)
		RequestAddinShmemSpace(area->size);
}

/* shmem_startup_hook */
static void
start_areas(void)
{
	if (previous_startup_hook)
		previous_startup_hook();
	for (DncSharedArea *area = areas; area; area = area->next)
	{
		bool		found;

		LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
		area->memory = ShmemInitStruct(area->name, area->size, &found);
		if (!found)
			area->init(area->memory);
		LWLockRelease(AddinShmemInitLock);
		LWLockRegisterTranche(area->memory->tranche, "dnc_fdw");
	}
}

/*
 * For _PG_init(): reserve an area, if the library is preloaded.  *area must exist as long as
 * the process.
 */
void
dnc_shmem_register(DncSharedArea *area)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	if (areas == NULL)
	{
		previous_request_hook = shmem_request_hook;
		shmem_request_hook = request_areas;
		previous_startup_hook = shmem_startup_hook;
		shmem_startup_hook = start_areas;
	}
	area->next = areas;
	areas = area;
}

/*
 * The memory of an area; NULL: there is no shared memory.  In the DSM registry, the first
 * session that asks for an area makes it.  A library that was replaced in a running cluster
 * finds the area of the old library, so an area whose layout changes needs another name.
 */
void *
dnc_shmem_attach(DncSharedArea *area)
{
	if (area->memory == NULL)
	{
		area->memory = dnc_shared_memory(area->name, area->size, area->init);
		if (area->memory)
			LWLockRegisterTranche(area->memory->tranche, "dnc_fdw");
	}
	return area->memory;
}
