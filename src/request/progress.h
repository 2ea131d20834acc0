/*-------------------------------------------------------------------------
 *
 * progress.h
 *		The work that runs now in any session of the cluster.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PROGRESS_H
#define DNC_PROGRESS_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "config/option.h"
#include "request/count.h"

/* A place in shared memory for work that runs. */
typedef struct DncProgress DncProgress;

/* A copy of such a place. */
typedef struct DncProgressRow
{
	int			pid;
	Oid			databaseid;
	Oid			userid;			/* the session user */
	Oid			relid;			/* InvalidOid: the work is not about one table */
	NameData	server;
	NameData	action;
	TimestampTz started_at;
	int64		pages;			/* pages of a list that were read */
	int64		rows;			/* entries that were read, added or deleted */
	int64		expected_rows;	/* -1: not known */
	int64		requests;		/* sent, including retries */
	TimestampTz waiting_until;	/* 0: the work does not wait for permission to send */
} DncProgressRow;

extern void dnc_progress_init(void);
extern DncProgress *dnc_progress_begin(const char *action, const DncOptions *options, Oid relid,
									   double expected_rows);
extern void dnc_progress_expect(DncProgress *progress, int64 rows);
extern void dnc_progress_count(DncProgress *progress, DncCount what, int64 more);
extern void dnc_progress_wait(DncProgress *progress, int64 wait);
extern bool dnc_progress_read(List **rows);

#endif							/* DNC_PROGRESS_H */
