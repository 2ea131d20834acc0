/*-------------------------------------------------------------------------
 *
 * shmem.h
 *		Memory that all sessions of the cluster share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_SHMEM_H
#define DNC_SHMEM_H

#include "storage/lwlock.h"

/* Each area begins with such a lock; the area's module says which parts the lock guards. */
typedef struct DncSharedLock
{
	LWLock		lock;
	int			tranche;
} DncSharedLock;

/* An area of shared memory: a static variable of the module that owns it. */
typedef struct DncSharedArea
{
	const char *name;			/* changes with the layout, see dnc_shmem_attach() */
	Size		size;
	void		(*init) (void *memory); /* sets up all of it, including the lock */
	DncSharedLock *memory;		/* NULL: not found yet, or there is none */
	struct DncSharedArea *next; /* the next registered area */
} DncSharedArea;

extern void dnc_shmem_register(DncSharedArea *area);
extern void *dnc_shmem_attach(DncSharedArea *area);
extern void dnc_shmem_init_lock(DncSharedLock *lock);

#endif							/* DNC_SHMEM_H */
