/*-------------------------------------------------------------------------
 *
 * pace.h
 *		When the next request to a server may be sent.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PACE_H
#define DNC_PACE_H

#include "option.h"
#include "rate.h"

/* Goes with a request that was let through, until it is known how it ended. */
typedef struct DncPaceTicket
{
	Oid			serverid;
	Oid			mapping;
	int64		sent;			/* on dnc_pace_clock() */
	uint32		window;
} DncPaceTicket;

extern void dnc_pace_init(void);
extern int64 dnc_pace_clock(void);
extern double dnc_pace_admit(const DncOptions *options, DncPaceTicket *ticket);
extern void dnc_pace_answered(const DncPaceTicket *ticket, const DncRate *rate);
extern void dnc_pace_lost(const DncPaceTicket *ticket, bool arrived);
extern void dnc_pace_pause(const DncPaceTicket *ticket, double ms);

#endif							/* DNC_PACE_H */
