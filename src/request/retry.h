/*-------------------------------------------------------------------------
 *
 * retry.h
 *		Which requests we try again, and after how long.
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
 * If a server asks for a longer wait, or says that its window lasts longer, we still ask again
 * after an hour.
 */
#define DNC_LONGEST_PAUSE_MS 3600000.0

/* The meaning of a try's end for the call. */
typedef enum DncVerdict
{
	DNC_VERDICT_DONE,
	DNC_VERDICT_AGAIN,			/* another try may help, and does no harm */
	DNC_VERDICT_FAILED
} DncVerdict;

typedef struct DncJudgement
{
	DncVerdict	verdict;
	bool		unclear;		/* the remote may have acted on the request without our knowing */
	bool		rate_limited;	/* the server's rate limit turned the request down */
	double		asked_ms;		/* the server asks for this wait before another try; -1: the
								 * server does not say */
	double		pause_ms;		/* no session may send anything for this long; -1: all may send */
} DncJudgement;

extern DncJudgement dnc_retry_judge(const DncRequest *request, const DncHttpAnswer *answer,
									const DncRateHeaders *rate);
extern double dnc_retry_wait(const DncOptions *options, const DncJudgement *judgement, int tries);
extern bool dnc_retry_waits_too_long(const DncOptions *options, double ms);

#endif							/* DNC_RETRY_H */
