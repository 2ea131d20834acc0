/*-------------------------------------------------------------------------
 *
 * progress.h
 *		What runs now in any session of the cluster.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PROGRESS_H
#define DNC_PROGRESS_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "config/option.h"
#include "request/count.h"

/* The place of something that runs in shared memory. */
typedef struct DncProgress DncProgress;

/* Something that runs; a copy. */
typedef struct DncProgressRow
{
	int			pid;
	Oid			databaseid;
	Oid			userid;			/* the session's */
	Oid			relid;			/* InvalidOid: it is about no table in particular */
	NameData	server;
	NameData	action;
	TimestampTz started_at;
	int64		pages;			/* of a list, read */
	int64		rows;			/* entries that were read, or added and deleted */
	int64		expected_rows;	/* -1: not known */
	int64		requests;		/* sent, retries among them */
	TimestampTz waiting_until;	/* 0: it does not wait to be allowed to send */
} DncProgressRow;

extern void dnc_progress_init(void);
extern DncProgress *dnc_progress_begin(const char *action, const DncOptions *options, Oid relid,
									   double expected_rows);
extern void dnc_progress_expect(DncProgress *progress, int64 rows);
extern void dnc_progress_count(DncProgress *progress, DncCount what, int64 more);
extern void dnc_progress_wait(DncProgress *progress, int64 wait);
extern bool dnc_progress_read(List **rows);

#endif							/* DNC_PROGRESS_H */
