/*-------------------------------------------------------------------------
 *
 * outcome.h
 *		What has become of a request that writes, and of the writes in it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_OUTCOME_H
#define DNC_OUTCOME_H

#include "datatype/timestamp.h"

#include "request/call.h"
#include "write/write.h"

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
	int64		skipped;		/* taken: how many additions were left out, as the API says */
	bool		unclear_before; /* unchanged: perhaps since an earlier try, whose answer was
								 * lost, has made the change */
	DncProblem	problem;		/* refused, unclear, not sent: why, in the words of an error;
								 * message is NULL after dnc_send_stop() where nothing but that
								 * was the reason */
	int			status;			/* of the last try's answer; 0: none came */
	TimestampTz requested;		/* before the last try was sent; 0: none was */
	TimestampTz answered;		/* when this was known */
	double		retry_after_ms; /* that it asks to wait; -1: it does not */
	const char *context;		/* the request that failed, as CONTEXT; NULL: an answer of
								 * success is the problem */
} DncSent;

/* A request that is over. */
typedef struct DncRequestEnd
{
	DncWrite  **writes;
	int			count;
	DncCall    *call;			/* NULL: it could not be begun */
	DncProblem	problem;		/* call is NULL: why, as far as it is known */
	DncBudget  *budget;			/* for looking entries up */
	TimestampTz begun;			/* before its first try was sent */
	bool		stopped;		/* nothing is looked up any more */
} DncRequestEnd;

extern bool dnc_outcome_is_older(TimestampTz added, TimestampTz requested);
extern bool dnc_outcome_judge(const DncRequestEnd *end, DncSent *sent);

#endif							/* DNC_OUTCOME_H */
