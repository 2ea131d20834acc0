/*-------------------------------------------------------------------------
 *
 * rate_limit.h
 *		The time when we may send the next request to a server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_RATE_LIMIT_H
#define DNC_RATE_LIMIT_H

#include "config/option.h"
#include "request/need.h"
#include "request/rate_headers.h"

extern int	dnc_reserve;		/* setting dnc_fdw.reserve, requests a minute */
extern bool dnc_rate_limit_background;	/* this process is in the background: nobody waits for it */
extern bool dnc_rate_limit_mirror;	/* this session reads for a mirror */

/* Accompanies a request that was let through, until we know how the request ended. */
typedef struct DncRateTicket
{
	Oid			serverid;
	Oid			mapping;
	int64		sent;			/* on dnc_rate_limit_clock() */
	uint32		window;
} DncRateTicket;

extern void dnc_rate_limit_init(void);
extern int64 dnc_rate_limit_clock(void);
extern double dnc_rate_limit_admit(const DncOptions *options, DncNeed need,
								   DncRateTicket *ticket);
extern void dnc_rate_limit_answered(const DncRateTicket *ticket, const DncRateHeaders *rate);
extern void dnc_rate_limit_lost(const DncRateTicket *ticket, bool arrived);
extern void dnc_rate_limit_resent(const DncRateTicket *ticket);
extern void dnc_rate_limit_pause(const DncRateTicket *ticket, double ms);

#endif							/* DNC_RATE_LIMIT_H */
