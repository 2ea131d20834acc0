/*-------------------------------------------------------------------------
 *
 * rate_headers.h
 *		What the headers of an answer say about further requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_RATE_HEADERS_H
#define DNC_RATE_HEADERS_H

#include "wire/http.h"

typedef struct DncRateHeaders
{
	int			limit;			/* requests in a window; 0: the answer does not say it all, and
								 * remaining means nothing */
	int			remaining;		/* of them, in the window at hand */
	double		reset_ms;		/* until the next window; whole seconds, rounded up; -1: the
								 * answer does not say */
	double		retry_after_ms; /* likewise, until the next try */
} DncRateHeaders;

extern void dnc_rate_headers_read(const DncHttpExchange *exchange, DncRateHeaders *rate);

#endif							/* DNC_RATE_HEADERS_H */
