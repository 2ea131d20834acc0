/*-------------------------------------------------------------------------
 *
 * commit.h
 *		Writes on their way to the servers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COMMIT_H
#define DNC_COMMIT_H

#include "write/pending.h"

extern void dnc_commit_send_all(DncPending *queues, MemoryContext context);
extern int64 dnc_commit_send_now(DncPending *queue);

#endif							/* DNC_COMMIT_H */
