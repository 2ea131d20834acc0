/*-------------------------------------------------------------------------
 *
 * store.h
 *		Writes as rows of the queue's tables, in bulk.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_STORE_H
#define DNC_QUEUE_STORE_H

#include "write/commit.h"

/* The table that rows go into. */
typedef enum DncStoreTable
{
	DNC_STORE_WAITING,
	DNC_STORE_FINISHED
} DncStoreTable;

typedef struct DncStoring DncStoring;

/* The snapshot of a removal's statement, and the time of the statement. */
typedef struct DncSeen
{
	Datum		snapshot;		/* pg_snapshot */
	TimestampTz at;				/* when the statement began */
} DncSeen;

extern DncStoring *dnc_store_begin(DncStoreTable table);
extern void dnc_store_waiting(DncStoring *storing, const DncWrite *write, const DncSeen *seen);
extern void dnc_store_finished(DncStoring *storing, const DncWrite *write,
							   const DncAcknowledged *request);
extern void dnc_store_end(DncStoring *storing);

#endif							/* DNC_QUEUE_STORE_H */
