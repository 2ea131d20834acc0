/*-------------------------------------------------------------------------
 *
 * count.h
 *		What is counted of requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COUNT_H
#define DNC_COUNT_H

/* In the order of the columns of dnc_fdw_stats() and dnc_fdw_totals(). */
typedef enum DncCount
{
	DNC_COUNT_REQUESTS,			/* sent, retries among them */
	DNC_COUNT_RETRIES,
	DNC_COUNT_RATE_LIMITED,		/* answers of status 429 */
	DNC_COUNT_ENTRIES,			/* of list pages, each once; counted once a page */
	DNC_COUNT_ADDED,			/* entries, as the remote has confirmed */
	DNC_COUNT_DELETED,			/* likewise */
	DNC_COUNT_BYTES,			/* of bodies that were received, after decompression */
	DNC_COUNT_WAITED,			/* microseconds, to be allowed to send, or to try again */
	DNC_NCOUNTS
} DncCount;

#endif							/* DNC_COUNT_H */
