/*-------------------------------------------------------------------------
 *
 * retry.h
 *		Which requests are tried again, and after how long.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_RETRY_H
#define DNC_RETRY_H

#include "request/request.h"
#include "wire/http.h"

/* What the end of a try means for the call. */
typedef enum DncVerdict
{
	DNC_VERDICT_DONE,
	DNC_VERDICT_AGAIN,
	DNC_VERDICT_FAILED
} DncVerdict;

extern DncVerdict dnc_retry_judge(const DncRequest *request, const DncHttpAnswer *answer,
								  bool *unclear);
extern double dnc_retry_backoff(int tries, double longest_ms);

#endif							/* DNC_RETRY_H */
