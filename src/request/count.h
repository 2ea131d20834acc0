/*-------------------------------------------------------------------------
 *
 * count.h
 *		The things that we count about requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COUNT_H
#define DNC_COUNT_H

/* In the order of the columns of dnc_fdw_stats() and dnc_fdw_totals(). */
typedef enum DncCount
{
	DNC_COUNT_REQUESTS,			/* sent, including retries */
	DNC_COUNT_RETRIES,
	DNC_COUNT_RATE_LIMITED,		/* answers of status 429 */
	DNC_COUNT_ENTRIES,			/* list entries read; added up once for each page */
	DNC_COUNT_ADDED,			/* entries whose addition the remote has confirmed */
	DNC_COUNT_DELETED,			/* entries whose removal the remote has confirmed */
	DNC_COUNT_BYTES,			/* bytes of answers' bodies, after decompression */
	DNC_COUNT_WAITED,			/* microseconds of waiting, to send or to try again */
	DNC_NCOUNTS
} DncCount;

#endif							/* DNC_COUNT_H */
