/*-------------------------------------------------------------------------
 *
 * retry.h
 *		Which requests are tried again, and after how long.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_RETRY_H
#define DNC_RETRY_H

#include "config/option.h"
#include "request/rate_headers.h"
#include "request/request.h"
#include "wire/http.h"

/*
 * However long a server asks to wait, or says that its window lasts, we ask again
 * after an hour.
 */
#define DNC_LONGEST_PAUSE_MS 3600000.0

/* What the end of a try means for the call. */
typedef enum DncVerdict
{
	DNC_VERDICT_DONE,
	DNC_VERDICT_AGAIN,			/* trying again may help, and does no harm */
	DNC_VERDICT_FAILED
} DncVerdict;

typedef struct DncJudgement
{
	DncVerdict	verdict;
	bool		unclear;		/* the remote may have acted on it without our knowing */
	bool		rate_limited;	/* it was too many for the server's rate limit */
	double		asked_ms;		/* the server asks to wait so long before another try; -1: it
								 * does not */
	double		pause_ms;		/* so long no session is to send anything; -1: all may */
} DncJudgement;

extern DncJudgement dnc_retry_judge(const DncRequest *request, const DncHttpAnswer *answer,
									const DncRateHeaders *rate);
extern double dnc_retry_wait(const DncOptions *options, const DncJudgement *judgement, int tries);
extern bool dnc_retry_waits_too_long(const DncOptions *options, double ms);

#endif							/* DNC_RETRY_H */
