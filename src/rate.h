/*-------------------------------------------------------------------------
 *
 * rate.h
 *		What the headers of an answer say about further requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_RATE_H
#define DNC_RATE_H

#include "http.h"

typedef struct DncRate
{
	int			limit;			/* requests in a window; 0: the answer does not say, and the
								 * next two mean nothing */
	int			remaining;		/* of them, in the window at hand */
	double		reset_ms;		/* until the next window; whole seconds, rounded up */
	double		wait_ms;		/* asked for before the next try; -1: nothing is */
} DncRate;

extern void dnc_rate_read(const DncHttpExchange *exchange, int status, DncRate *rate);

#endif							/* DNC_RATE_H */
