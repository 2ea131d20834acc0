/*-------------------------------------------------------------------------
 *
 * attempts.h
 *		The tries of one request, one after the other.
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
 * Begins as zeros but for the first group, and with state and due at that: a first try that
 * may be sent at once.  Times are on dnc_rate_limit_clock().
 */
typedef struct DncAttempts
{
	const DncOptions *options;	/* with the token */
	DncCounters *counters;
	DncRequest	request;
	DncHttpRequest http;		/* the same, as transport takes it */

	DncAttemptsState state;
	int			count;			/* tries that were sent */
	int64		first_sent;
	bool		stopped;		/* no further try is sent */

	/* While it waits. */
	int64		due;			/* when to send, or to ask again whether we may */
	bool		limited;		/* the server wants us to wait, or requests_per_minute does */

	/* The try at hand, or the last one. */
	DncRateTicket ticket;
	DncHttpExchange *exchange;	/* NULL: waiting */
	const DncHttpAnswer *answer;	/* NULL: waiting or under way */
	int64		ended;			/* the last one; 0: none has */
	DncRateHeaders rate;		/* of its answer; limit 0: it does not say */
	DncVerdict	verdict;		/* on it */
	bool		unclear;		/* some try may have arrived without our knowing */
	double		asked_wait_ms;	/* FAILED because that is over max_wait; else 0 */
} DncAttempts;

extern void dnc_attempts_advance(DncAttempts *attempts);
extern double dnc_attempts_wait_left(const DncAttempts *attempts);
extern bool dnc_attempts_are_over(const DncAttempts *attempts);
extern void dnc_attempts_refuse_long_wait(DncAttempts *attempts);
extern void dnc_attempts_stop(DncAttempts *attempts);
extern void dnc_attempts_abandon(DncAttempts *attempts);
extern DncProblem dnc_attempts_problem(const DncAttempts *attempts);

#endif							/* DNC_ATTEMPTS_H */
