/*-------------------------------------------------------------------------
 *
 * send.h
 *		Writes as requests, several of them under way at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_SEND_H
#define DNC_SEND_H

#include "request/max_requests.h"
#include "request/progress.h"
#include "request/remote_error.h"
#include "write/write.h"

typedef struct DncSend DncSend;

typedef enum DncOutcome
{
	DNC_OUTCOME_TAKEN,			/* the remote has changed its list, as far as it needed to */
	DNC_OUTCOME_UNCHANGED,		/* what is to be added is listed; or is not, and to be removed */
	DNC_OUTCOME_REFUSED,		/* the remote has said no, and surely has not acted */
	DNC_OUTCOME_UNCLEAR,		/* the remote may have acted, or not */
	DNC_OUTCOME_NOT_SENT		/* the remote has surely not acted, and did not say no */
} DncOutcome;

/* One request after its end.  All of its writes have the same outcome. */
typedef struct DncSent
{
	DncWrite  **writes;			/* a part of what dnc_send_begin() was given */
	int			count;
	DncOutcome	outcome;
	int64		changed;		/* taken: how many entries were added or removed, as far as the
								 * API tells */
	bool		unclear_before; /* unchanged: perhaps since an earlier try, whose answer was
								 * lost, has made the change */
	DncProblem	problem;		/* refused, unclear, not sent: why, in the words of an error;
								 * message is NULL after dnc_send_stop() where nothing but that
								 * was the reason */
	int			status;			/* of the last try's answer; 0: none came */
	double		retry_after_ms; /* that it asks to wait; -1: it does not */
	const char *context;		/* the request that failed, as CONTEXT; NULL: an answer of
								 * success is the problem */
} DncSent;

/* Requests whose outcome is not known, and the writes in them. */
typedef struct DncUnclear
{
	int			requests;
	int64		writes;
} DncUnclear;

extern int64 dnc_send_requests(DncWrite **writes, int count);
extern DncSend *dnc_send_begin(DncWrite **writes, int count, DncBudget *budget,
							   DncProgress *progress);
extern bool dnc_send_next(DncSend *send, DncSent *sent);
extern void dnc_send_stop(DncSend *send);
extern void dnc_send_count_unclear(const DncSend *send, DncUnclear *unclear);

#endif							/* DNC_SEND_H */
