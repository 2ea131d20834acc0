/*-------------------------------------------------------------------------
 *
 * outcome.h
 *		The outcome of a request that writes, and so of the writes in it.
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
	DNC_OUTCOME_UNCHANGED,		/* an entry to add was listed already, or an entry to remove was
								 * not */
	DNC_OUTCOME_REFUSED,		/* the remote has said no, and surely has not acted */
	DNC_OUTCOME_UNCLEAR,		/* the remote may have acted, or not */
	DNC_OUTCOME_NOT_SENT		/* the remote has surely not acted, and did not say no */
} DncOutcome;

/* One request after its end.  All of its writes have the same outcome. */
typedef struct DncSent
{
	DncWrite  **writes;			/* a part of the array for dnc_send_begin() */
	int			count;
	DncOutcome	outcome;
	int64		changed;		/* taken: how many entries were added or removed, as far as the
								 * API tells */
	bool		incomplete;		/* a removal: the API counts fewer entries than we have named, so we
								 * do not know who is still listed */
	int64		skipped;		/* taken: how many additions were left out, as the API says */
	bool		unclear_before; /* unchanged, or skipped > 0: perhaps an earlier try, whose answer
								 * was lost, has made the change */
	DncProblem	problem;		/* refused, unclear, not sent: the reason, in the words of an
								 * error; message is NULL if the only reason is dnc_send_stop() */
	int			status;			/* of the last try's answer; 0: none came */
	TimestampTz requested;		/* before the last try was sent; 0: none was */
	TimestampTz answered;		/* when the outcome was known */
	double		retry_after_ms; /* how long the answer asks us to wait; -1: it does not ask */
	const char *context;		/* the request that failed, as CONTEXT; NULL: no request has
								 * failed as such */
} DncSent;

/* A request that is over. */
typedef struct DncRequestEnd
{
	DncWrite  **writes;
	int			count;
	DncCall    *call;			/* NULL: the request could not be begun */
	DncProblem	problem;		/* call is NULL: why, as far as we know */
	DncBudget  *budget;			/* for looking entries up */
	TimestampTz begun;			/* before its first try was sent */
	bool		stopped;		/* we look nothing up any more */
} DncRequestEnd;

extern bool dnc_outcome_is_older(TimestampTz added, TimestampTz requested);
extern bool dnc_outcome_judge(const DncRequestEnd *end, DncSent *sent);

#endif							/* DNC_OUTCOME_H */
