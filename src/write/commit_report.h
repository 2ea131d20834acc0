/*-------------------------------------------------------------------------
 *
 * commit_report.h
 *		What users are told of the sending: errors with counts, warnings, the log.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COMMIT_REPORT_H
#define DNC_COMMIT_REPORT_H

#include "write/send.h"

/* What a transaction has sent to one server before COMMIT. */
typedef struct DncServerWrites
{
	struct DncServerWrites *next;
	Oid			serverid;
	const char *server_name;
	int64		taken[DNC_NACTIONS];
} DncServerWrites;

/* How far the sending to one server has got. */
typedef struct DncCommitServer
{
	DncServerWrites *server;
	DncWrite  **writes[DNC_NACTIONS];	/* to be sent; NULL: none */
	int			all[DNC_NACTIONS];	/* how many they are */
	int64		taken[DNC_NACTIONS];	/* of these, that have changed the list */
	int64		skipped;		/* additions */
	struct DncAcknowledged *acknowledged;	/* requests of both actions; NULL: there are none */
	int			nacknowledged;
} DncCommitServer;

/* How far the sending has got. */
typedef struct DncCommit
{
	MemoryContext context;		/* holds what is needed until the end */
	bool		at_once;		/* before COMMIT */
	DncCommitServer *servers;
	int			nservers;
	DncCommitServer *server;		/* the one at hand */
	DncSend    *send;			/* to that one; NULL: nothing is being sent */
	int64		changed;
	DncUnclear	unclear;
	bool		failed;			/* the next two say how */
	DncProblem	problem;
	const char *request;		/* for CONTEXT; NULL: no request has failed as such */
} DncCommit;

extern const DncOptions *dnc_commit_options(const DncCommitServer *server);
extern void dnc_commit_report_failure(const DncCommit *progress);
extern void dnc_commit_report_thrown(DncCommit *progress, ErrorData *error);
extern void dnc_commit_report_skipped(const DncCommitServer *server);
extern void dnc_commit_report_cut_off(DncCommit *progress);

#endif							/* DNC_COMMIT_REPORT_H */
