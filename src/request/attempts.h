/*-------------------------------------------------------------------------
 *
 * attempts.h
 *		The tries of one request, one after another.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ATTEMPTS_H
#define DNC_ATTEMPTS_H

#include "config/option.h"
#include "request/counters.h"
#include "request/rate_headers.h"
#include "request/rate_limit.h"
#include "request/remote_error.h"
#include "request/request.h"
#include "request/retry.h"
#include "wire/http.h"

typedef enum DncAttemptsState
{
	DNC_ATTEMPTS_WAITING,		/* for the time of the next try */
	DNC_ATTEMPTS_UNDER_WAY,
	DNC_ATTEMPTS_DONE,
	DNC_ATTEMPTS_FAILED
} DncAttemptsState;

/*
 * Set the first group; everything else begins as zeros.  Zeros in state and due mean a first
 * try that we may send at once.  Times are on dnc_rate_limit_clock().
 */
typedef struct DncAttempts
{
	const DncOptions *options;	/* with the token */
	DncCounters *counters;
	DncRequest	request;
	DncHttpRequest http;		/* the same request in the form that wire/http.c takes */

	DncAttemptsState state;
	int			count;			/* tries sent */
	int64		first_sent;
	bool		stopped;		/* we send no further try */

	/* While the request waits. */
	int64		due;			/* when to send, or to ask again whether we may send */
	bool		limited;		/* the wait is for the server or for requests_per_minute */

	/* The current try, or the last one. */
	DncRateTicket ticket;
	DncHttpExchange *exchange;	/* NULL: waiting */
	const DncHttpAnswer *answer;	/* NULL: waiting or under way */
	int64		ended;			/* when the last try ended; 0: no try has ended */
	DncRateHeaders rate;		/* from the try's answer; limit 0: the answer does not say */
	DncVerdict	verdict;		/* about the try */
	bool		unclear;		/* the remote may have acted on some try without our knowing */
	double		asked_wait_ms;	/* FAILED because this wait is over max_wait; else 0 */
} DncAttempts;

extern void dnc_attempts_advance(DncAttempts *attempts);
extern double dnc_attempts_wait_left(const DncAttempts *attempts);
extern bool dnc_attempts_are_over(const DncAttempts *attempts);
extern void dnc_attempts_refuse_long_wait(DncAttempts *attempts);
extern void dnc_attempts_stop(DncAttempts *attempts);
extern void dnc_attempts_abandon(DncAttempts *attempts);
extern DncProblem dnc_attempts_problem(const DncAttempts *attempts);

#endif							/* DNC_ATTEMPTS_H */
