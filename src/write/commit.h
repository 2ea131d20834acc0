/*-------------------------------------------------------------------------
 *
 * commit.h
 *		Pending writes on their way to the servers: at COMMIT, or at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COMMIT_H
#define DNC_COMMIT_H

#include "write/pending.h"

/* What a transaction has written to one server. */
typedef struct DncServerWrites
{
	struct DncServerWrites *next;
	Oid			serverid;
	const char *server_name;
	DncPending *pending;		/* waits for COMMIT */
	int64		taken[DNC_NACTIONS];	/* by the remote, before COMMIT */
} DncServerWrites;

extern void dnc_commit_send_all(DncServerWrites *servers, MemoryContext context);
extern int64 dnc_commit_send_now(DncServerWrites *server, DncPending *pending);

#endif							/* DNC_COMMIT_H */
