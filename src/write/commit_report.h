/*-------------------------------------------------------------------------
 *
 * commit_report.h
 *		The reports of the sending: errors with counts, warnings, the log.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COMMIT_REPORT_H
#define DNC_COMMIT_REPORT_H

#include "write/send.h"

/* The writes that a server has taken from a transaction before COMMIT. */
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
	DncWrite  **writes[DNC_NACTIONS];	/* to send; NULL: none */
	int			all[DNC_NACTIONS];	/* how many they are */
	int64		taken[DNC_NACTIONS];	/* how many of these have changed the list */
	int64		skipped;		/* additions that the API has left out */
	struct DncAcknowledged *acknowledged;	/* requests of both actions; NULL: none */
	int			nacknowledged;
} DncCommitServer;

/* How far the sending has got. */
typedef struct DncCommit
{
	MemoryContext context;		/* lasts until the end of the sending */
	bool		at_once;		/* before COMMIT */
	DncCommitServer *servers;
	int			nservers;
	DncCommitServer *server;		/* whose writes we send now */
	DncSend    *send;			/* sends them; NULL: nothing is being sent */
	int64		changed;
	DncUnclear	unclear;
	bool		failed;			/* problem and request say how */
	DncProblem	problem;
	const char *request;		/* for CONTEXT; NULL: no request has failed as such */
} DncCommit;

extern const DncOptions *dnc_commit_options(const DncCommitServer *server);
extern void dnc_commit_report_failure(const DncCommit *progress);
extern void dnc_commit_report_thrown(DncCommit *progress, ErrorData *error);
extern void dnc_commit_report_skipped(const DncCommitServer *server);
extern void dnc_commit_report_cut_off(DncCommit *progress);

#endif							/* DNC_COMMIT_REPORT_H */
