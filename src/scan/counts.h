/*-------------------------------------------------------------------------
 *
 * counts.h
 *		What a scan has done so far, for EXPLAIN.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COUNTS_H
#define DNC_COUNTS_H

typedef struct DncScan DncScan;

/* The rows of a scan by where they came from, for EXPLAIN. */
typedef struct DncScanCounts
{
	int64		rows;			/* from the remote, before local clauses */
	int64		remembered;		/* lookups that were known already */
	int64		waiting;		/* rows of the transaction's own waiting additions */
	int64		asked;			/* chains that were begun with a request */
	int64		switched_after; /* how many of them, when the list took the place of lookups;
								 * -1: it did not */
} DncScanCounts;

#endif							/* DNC_COUNTS_H */
