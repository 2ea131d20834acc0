/*-------------------------------------------------------------------------
 *
 * counts.h
 *		The work that a scan has done so far, for EXPLAIN.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COUNTS_H
#define DNC_COUNTS_H

typedef struct DncScan DncScan;

/* The rows of a scan by their origin, for EXPLAIN. */
typedef struct DncScanCounts
{
	int64		rows;			/* from the remote, before local clauses */
	int64		remembered;		/* lookups whose rows we knew already */
	int64		waiting;		/* rows from the transaction's own waiting additions */
	int64		asked;			/* chains that we began with a request */
	int64		switched_after; /* number of lookups before the list replaced them; -1: it did
								 * not */
} DncScanCounts;

#endif							/* DNC_COUNTS_H */
