/*-------------------------------------------------------------------------
 *
 * rate_headers.h
 *		The headers of an answer that limit further requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_RATE_HEADERS_H
#define DNC_RATE_HEADERS_H

#include "wire/http.h"

typedef struct DncRateHeaders
{
	int			limit;			/* requests in a window; 0: some RateLimit header is missing, and
								 * remaining means nothing */
	int			remaining;		/* how many of these remain in the current window */
	double		reset_ms;		/* until the next window; whole seconds, rounded up; -1: the
								 * answer does not say */
	double		retry_after_ms; /* until the next try; whole seconds; -1: the answer does not say */
} DncRateHeaders;

extern void dnc_rate_headers_read(const DncHttpExchange *exchange, DncRateHeaders *rate);

#endif							/* DNC_RATE_HEADERS_H */
