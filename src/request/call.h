/*-------------------------------------------------------------------------
 *
 * call.h
 *		One request to a server, tried until it is answered.
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

/* How the last try of a call ended. */
typedef struct DncTryFacts
{
	double		elapsed_ms;		/* from its being sent */
	int			status;			/* 0: none came */
	DncRateHeaders		rate;
} DncTryFacts;

typedef struct DncCall DncCall;

extern int	dnc_wait_notice;	/* setting dnc_fdw.wait_notice, in ms; -1: never */

extern bool dnc_call_has_room(const DncOptions *options);
extern DncCall *dnc_call_start(const DncOptions *options, const DncRequest *request,
							   DncCounters *counters);
extern bool dnc_call_ready(DncCall *call);
extern void dnc_call_wait_any(DncCall **calls, int count);
extern void dnc_call_wait(DncCall *call);
extern int	dnc_call_status(const DncCall *call);
extern DncProblem dnc_call_refusal(const DncCall *call);
extern bool dnc_call_problem(const DncCall *call, DncProblem *problem);
extern bool dnc_call_last_try(const DncCall *call, DncTryFacts *facts);
extern DncAnswer *dnc_call_answer(DncCall *call);
extern bool dnc_call_unclear(const DncCall *call);
extern void dnc_call_stop(DncCall *call);
extern bool dnc_call_settle(DncCall *call);
extern void dnc_call_drop(DncCall *call);

#endif							/* DNC_CALL_H */
