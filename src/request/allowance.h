/*-------------------------------------------------------------------------
 *
 * allowance.h
 *		What is known of the requests that accounts are allowed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ALLOWANCE_H
#define DNC_ALLOWANCE_H

#include <limits.h>

#include "request/need.h"

/*
 * Starts of requests are counted by slots of time.  Those of the last minute
 * lie in the slot at hand and 240 before it; one more is for the time that a
 * request takes to get to the server.  So a minute is taken for half a second
 * longer than it is at the most.
 */
#define DNC_RATE_SLOTS (240 + 2)

#define DNC_RATE_UNKNOWN INT_MAX

typedef struct DncAllowanceKey
{
	Oid			databaseid;
	Oid			serverid;
	Oid			mapping;
} DncAllowanceKey;

/* Times are on dnc_rate_limit_clock(). */
typedef struct DncAllowance
{
	DncAllowanceKey key;
	int64		used;			/* when it was looked at last */
	int64		paused_until;

	/* The server's window, as its headers tell. */
	int			limit;			/* 0: its answers have no headers */
	int			remaining;		/* in this window; DNC_RATE_UNKNOWN */
	int			promised;		/* to requests that are under way, of these */
	uint32		window;			/* its number */
	int			by_people;		/* requests in this window that were not of the background */
	int64		previous_end;	/* when the window before it had surely ended */
	int64		end;			/* when it will surely have ended; 0: not known yet */

	/* Requests of the last minute. */
	int64		slot;			/* the one at hand; DNC_RATE_SLOTS at the clock's zero */
	int64		started;		/* in all slots */
	int64		people_started;	/* likewise, those that were not of the background */
	uint32		starts[DNC_RATE_SLOTS];	/* by slot modulo DNC_RATE_SLOTS */
	uint16		people_starts[DNC_RATE_SLOTS];

	int64		waits_until[DNC_NNEEDS]; /* a request of this need waits until then */
} DncAllowance;

extern void dnc_allowance_register(void);
extern DncAllowance *dnc_allowance_lock(Oid serverid, Oid mapping, bool make, int64 now);
extern void dnc_allowance_unlock(void);

#endif							/* DNC_ALLOWANCE_H */
