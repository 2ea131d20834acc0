/*-------------------------------------------------------------------------
 *
 * pending.h
 *		The writes of a transaction to one account, in their order.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PENDING_H
#define DNC_PENDING_H

#include "utils/hsearch.h"

#include "write/write.h"

/*
 * A write that waits to be sent.  The write is the last member, since its texts follow it.  The
 * members of its holder stand in front: see dnc_pending_of().
 */
typedef struct DncPendingWrite
{
	struct DncPendingWrite *previous;	/* the previous write on the same list entry; NULL: none */
	CommandId	command;		/* that made the write */
	CommandId	seen;			/* a removal: its scan has seen the commands before this */
	int			nest_level;		/* of the (sub)transaction that made the write */
	int			index;			/* of the write in its collection */
	bool		overtaken;		/* other writes make it needless: dnc_settle_mark_overtaken() */
	bool		by_key;			/* a removal without a scan: of every entry that has the key */
	bool		skip_listed;	/* ON CONFLICT DO NOTHING */
	bool		repeated;		/* skip_listed, and an addition of the entry waits already */
	bool		listed;			/* an addition whose entry a scan has seen on the list */
	bool		differs;		/* listed, but the addition gives other values than the list has */
	DncWrite	write;
} DncPendingWrite;

typedef struct DncPending
{
	MemoryContext context;
	MemoryContext write_context;
	DncWrite  **writes;			/* each inside of a DncPendingWrite */
	int			count;
	int			capacity;
	int			removals;		/* how many of the writes are removals */
	uint32		sent;			/* how often writes were sent and forgotten */
	HTAB	   *last;			/* the last write on each entry, by DncIdentity */
} DncPending;

/* The waiting write that holds a write of a collection. */
static inline DncPendingWrite *
dnc_pending_of(DncWrite *write)
{
	return (DncPendingWrite *) ((char *) write - offsetof(DncPendingWrite, write));
}

/* The index-th write of a collection. */
static inline DncPendingWrite *
dnc_pending_at(const DncPending *pending, int index)
{
	return dnc_pending_of(pending->writes[index]);
}

/* Has the scan of a removal seen an earlier addition? */
static inline bool
dnc_pending_has_seen(const DncPendingWrite *removal, const DncPendingWrite *addition)
{
	return addition->index < removal->index && addition->command < removal->seen;
}

extern DncPending *dnc_pending_make(MemoryContext parent);
extern DncPendingWrite *dnc_pending_append(DncPending *pending, const DncTarget *target,
										   DncAction action, DncMemberValues values,
										   CommandId command);
extern void dnc_pending_drop_last(DncPending *pending);
extern void dnc_pending_clear(DncPending *pending);
extern void dnc_pending_forget_target(DncPending *pending, const DncTarget *target);
extern DncPendingWrite *dnc_pending_find(const DncPending *pending, const DncIdentity *identity);
extern bool dnc_pending_repeats(const DncPendingWrite *waiting);
extern bool dnc_pending_takes_back(const DncPendingWrite *removal);

#endif							/* DNC_PENDING_H */
