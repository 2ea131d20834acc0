/*-------------------------------------------------------------------------
 *
 * call.h
 *		Requests to servers that are under way at the same time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_CALL_H
#define DNC_CALL_H

#include "config/option.h"
#include "request/answer.h"
#include "request/counters.h"
#include "request/rate_headers.h"
#include "request/remote_error.h"
#include "request/request.h"

/* The fate of a call's request. */
typedef enum DncCallOutcome
{
	DNC_CALL_SUCCEEDED,			/* the answer is success by its status, or accepted_status */
	DNC_CALL_REFUSED,			/* the remote says no, and would again */
	DNC_CALL_UNCLEAR,			/* the remote may have acted on the request without our knowing */
	DNC_CALL_NOT_TAKEN			/* it did not arrive, or was turned away for now (408, 429) */
} DncCallOutcome;

/* How the last try of a call ended. */
typedef struct DncTryFacts
{
	double		elapsed_ms;		/* from the sending to the end */
	double		age_ms;			/* from the sending until now */
	int			status;			/* 0: none came */
	DncRateHeaders rate;
	int64		date;			/* seconds since 1970, from the header Date; -1: no such header */
} DncTryFacts;

typedef struct DncCall DncCall;

extern int	dnc_wait_notice;	/* setting dnc_fdw.wait_notice, in ms; -1: never */

extern bool dnc_call_has_room(const DncOptions *options, const DncBudget *budget);
extern DncCall *dnc_call_start(const DncOptions *options, const DncRequest *request,
							   DncCounters *counters);
extern bool dnc_call_poll(DncCall *call);
extern void dnc_call_wait_any(DncCall **awaited, int count);
extern void dnc_call_wait(DncCall *call);
extern int	dnc_call_status(const DncCall *call);
extern double dnc_call_age(const DncCall *call);
extern DncProblem dnc_call_refusal(const DncCall *call);
extern DncCallOutcome dnc_call_outcome(const DncCall *call);
extern bool dnc_call_problem(const DncCall *call, DncProblem *problem);
extern bool dnc_call_last_try(const DncCall *call, DncTryFacts *facts);
extern DncAnswer *dnc_call_answer(DncCall *call);
extern bool dnc_call_unclear(const DncCall *call);
extern void dnc_call_stop(DncCall *call);

#endif							/* DNC_CALL_H */
