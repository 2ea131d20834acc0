/*-------------------------------------------------------------------------
 *
 * tally.h
 *		What requests came to: of one scan or write, and of the session.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_TALLY_H
#define DNC_TALLY_H

#include "nodes/pg_list.h"

/* What is counted, in the order of the columns of dnc_fdw_stats(). */
typedef enum DncCount
{
	DNC_COUNT_REQUESTS,			/* sent, retries among them */
	DNC_COUNT_RETRIES,
	DNC_COUNT_RATE_LIMITED,		/* answers of status 429 */
	DNC_COUNT_ENTRIES,			/* of list pages, each once */
	DNC_COUNT_ADDED,			/* entries, as the remote has confirmed */
	DNC_COUNT_DELETED,			/* likewise */
	DNC_COUNT_BYTES,			/* of bodies that were received, after decompression */
	DNC_COUNT_WAITED,			/* microseconds waited for, to be allowed to send, or to try again */
	DNC_NCOUNTS
} DncCount;

/* The session's, of one server. */
typedef struct DncServerTally
{
	Oid			serverid;
	int64		counts[DNC_NCOUNTS];
} DncServerTally;

/* That of one scan or write.  Begins as zeros; one server each. */
typedef struct DncTally
{
	int64		counts[DNC_NCOUNTS];
	DncServerTally *session;	/* counts along; NULL until dnc_tally_begin() */
} DncTally;

extern void dnc_tally_begin(DncTally *tally, Oid serverid);
extern void dnc_tally_add(DncTally *tally, DncCount what, int64 more);
extern List *dnc_tally_servers(void);
extern void dnc_tally_reset(void);

#endif							/* DNC_TALLY_H */
