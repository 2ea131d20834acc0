/*-------------------------------------------------------------------------
 *
 * allowance.h
 *		The requests that accounts may send, as far as we know.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ALLOWANCE_H
#define DNC_ALLOWANCE_H

#include <limits.h>

#include "request/need.h"

/*
 * We count the starts of requests in slots of time.  The last minute takes the current slot and
 * the 240 before it.  One more slot covers the time that a request takes to reach the server.
 * So we count a request for at most half a second longer than a minute.
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
	int64		used;			/* when somebody last looked at it */
	int64		paused_until;

	/* The server's window, as its headers describe it. */
	int			limit;			/* 0: its answers have no headers */
	int			remaining;		/* in this window, or DNC_RATE_UNKNOWN */
	int			promised;		/* how many of these are reserved for requests under way */
	uint32		window;			/* counts the windows */
	int			by_people;		/* requests in this window that were not of the background */
	int64		previous_end;	/* when the previous window had surely ended */
	int64		end;			/* when this window will surely have ended; 0: not known yet */

	/* Requests of the last minute. */
	int64		slot;			/* the current slot; DNC_RATE_SLOTS at the clock's zero */
	int64		started;		/* in all slots */
	int64		people_started;	/* of these, requests not sent by the background */
	uint32		starts[DNC_RATE_SLOTS];	/* by slot modulo DNC_RATE_SLOTS */
	uint16		people_starts[DNC_RATE_SLOTS];

	int64		waits_until[DNC_NNEEDS]; /* a request of this need waits until then */
} DncAllowance;

extern void dnc_allowance_register(void);
extern DncAllowance *dnc_allowance_lock(Oid serverid, Oid mapping, bool make, int64 now);
extern void dnc_allowance_unlock(void);

#endif							/* DNC_ALLOWANCE_H */
