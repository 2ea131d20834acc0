/*-------------------------------------------------------------------------
 *
 * claim.h
 *		The writes of the queue that are due, taken to be sent.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_CLAIM_H
#define DNC_QUEUE_CLAIM_H

#include "queue/lane.h"
#include "write/write.h"

/* A claimed write.  The write is the last member, since its texts follow it. */
typedef struct DncClaimedWrite
{
	int64		id;
	bool		unclear;		/* an earlier try may have reached the vendor */
	bool		perhaps_new;	/* unclear removal: the listed person may have been added since */
	TimestampTz requested;		/* a removal: when it was claimed first */
	DncWrite	write;
} DncClaimedWrite;

/* Claimed writes of one action, which go to one target. */
typedef struct DncClaim
{
	DncLane		lane;
	DncAction	action;
	const DncTarget *target;
	DncWrite  **writes;			/* each inside of a DncClaimedWrite */
	int			count;			/* 0: the writes turned out not to be due */
} DncClaim;

static inline const DncClaimedWrite *
dnc_claimed_of(const DncWrite *write)
{
	return (const DncClaimedWrite *) ((const char *) write - offsetof(DncClaimedWrite, write));
}

extern void dnc_claim_recover(Oid serverid);
extern bool dnc_claim_next(Oid serverid, const char *account, DncClaim *claim);

#endif							/* DNC_QUEUE_CLAIM_H */
