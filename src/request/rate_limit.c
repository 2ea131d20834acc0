/*-------------------------------------------------------------------------
 *
 * rate_limit.c
 *		The time when we may send the next request to a server.
 *
 * A vendor allows an account a number of requests in a window of time.  We keep what we
 * know about that in an allowance.  All sessions of the cluster that speak to the same
 * server with the same user mapping share it.  This file lets a request through, or says
 * how long it has to wait, and learns from the answers.  Nothing waits here.
 *
 * If answers carry RateLimit headers, these decide: we let through at most the remaining
 * requests, minus those under way, until the window ends.  If answers have none, or none
 * has come yet, at most requests_per_minute requests begin within any 60 seconds.  After
 * a Retry-After, we let no request through until that time is over.
 *
 * The headers have whole seconds, rounded up.  (Rounded down, they would earn the next
 * request a 429.)  The server made the answer at some time between the request and the
 * answer's arrival.  So an answer only gives bounds for the window's end.  Among several
 * answers in a window, the earliest upper bound is the best.  An answer whose bounds lie
 * behind the window's end is about a later window.  The bounds also show this for an
 * answer that we look at late, because its session was busy.
 *
 * If there is not enough for all, more urgent requests go first (DncNeed).  A request
 * that has to wait leaves a mark, and less urgent requests wait behind it.  But people
 * get a few requests in each minute or window, the reserve, even if other requests wait:
 * background processes leave that room, as far as people have not used it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "portability/instr_time.h"

#include "request/allowance.h"
#include "request/rate_limit.h"
#include "request/retry.h"

#define SECOND INT64CONST(1000000) /* in the units of dnc_rate_limit_clock() */
#define MINUTE (60 * SECOND)
#define SLOT (MINUTE / 240)

/* A waiting request comes back within this time after its due time; ms. */
#define COMES_BACK_MS 500

/* Wait before asking again, if a more urgent request goes first; ms. */
#define BEHIND_MS 50

/* Wait before asking again, if answers may come any time and decide; ms. */
#define ASK_AGAIN_MS 20

int			dnc_reserve = 10;
bool		dnc_rate_limit_background = false;
bool		dnc_rate_limit_mirror = false;

/* For _PG_init(): reserve the memory, if the library is preloaded. */
void
dnc_rate_limit_init(void)
{
	dnc_allowance_register();
}

/*
 * Microseconds of a monotonic clock that all processes of a machine share and nobody sets.
 * Wall-clock time can be set back; then no request could start until it has caught up.
 */
int64
dnc_rate_limit_clock(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}

/* ----- the last minute ----- */

/* Go to the slot of a time, and clear the slots that are out of the minute. */
static void
go_to_slot(DncAllowance *allowance, int64 now)
{
	int64		slot = now / SLOT + DNC_RATE_SLOTS;
	int64		first = Max(allowance->slot + 1, slot - DNC_RATE_SLOTS + 1);

	for (int64 i = first; i <= slot; i++)
	{
		allowance->started -= allowance->starts[i % DNC_RATE_SLOTS];
		allowance->people_started -= allowance->people_starts[i % DNC_RATE_SLOTS];
		allowance->starts[i % DNC_RATE_SLOTS] = 0;
		allowance->people_starts[i % DNC_RATE_SLOTS] = 0;
	}
	allowance->slot = Max(slot, allowance->slot);
}

/* Count a request that begins now.  Requests of people are counted separately, too. */
static void
count_start(DncAllowance *allowance)
{
	int			slot = allowance->slot % DNC_RATE_SLOTS;

	if (allowance->starts[slot] == PG_UINT16_MAX)
		return;
	allowance->started++;
	allowance->starts[slot]++;
	if (dnc_rate_limit_background)
		return;
	allowance->people_started++;
	allowance->people_starts[slot]++;
	allowance->by_people++;
}

/*
 * How long until requests_per_minute allows one more request?  The caller has taken off the
 * requests that are not ours to use.  We wait until enough of the oldest slots are over.
 */
static int64
wait_for_slot(const DncAllowance *allowance, int per_minute, int64 now)
{
	int64		left = allowance->started;
	int64		slot = allowance->slot - DNC_RATE_SLOTS;

	if (per_minute == 0)
		return 0;
	while (left >= per_minute)
		left -= allowance->starts[++slot % DNC_RATE_SLOTS];
	return Max(slot * SLOT - now, 0);
}

/* ----- the server's window ----- */

/* The window is over.  Requests under way were counted in it, and no longer matter. */
static void
next_window(DncAllowance *allowance)
{
	allowance->window++;
	allowance->remaining = allowance->limit;
	allowance->promised = 0;
	allowance->by_people = 0;
	allowance->previous_end = allowance->end;
	allowance->end = 0;
}

/* Go on to the next window, if the current one is over. */
static void
go_to_window(DncAllowance *allowance, int64 now)
{
	if (allowance->end != 0 && now >= allowance->end)
		next_window(allowance);
}

/* How long until the headers allow one more request, if we leave this many for others? */
static int64
wait_for_window(const DncAllowance *allowance, int left, int64 now)
{
	if (allowance->remaining - left > allowance->promised)
		return 0;
	/* Only a window's first answer says when it ends, so somebody has to ask. */
	if (allowance->end == 0)
		return allowance->promised == 0 ? 0 : ASK_AGAIN_MS * 1000;
	if (allowance->remaining <= left)
		return allowance->end - now;
	return Min(allowance->end - now, ASK_AGAIN_MS * 1000);
}

/* Learn from the headers of an answer. */
static void
learn(DncAllowance *allowance, int64 sent, const DncRateHeaders *rate)
{
	int64		reset = (int64) (Min(rate->reset_ms, DNC_LONGEST_PAUSE_MS) * 1000);
	int64		from = sent + reset - SECOND;
	int64		to = dnc_rate_limit_clock() + reset;

	allowance->limit = rate->limit;
	if (from <= allowance->previous_end)
		return;					/* about an old window */
	if (allowance->end != 0 && from > allowance->end)
		next_window(allowance);
	allowance->remaining = Min(allowance->remaining, rate->remaining);
	allowance->end = allowance->end == 0 ? to : Min(allowance->end, to);
}

/* A request of this window is no longer under way; false: it belongs to another window. */
static bool
end_promise(DncAllowance *allowance, const DncRateTicket *ticket)
{
	if (ticket->window != allowance->window)
		return false;
	allowance->promised = Max(allowance->promised - 1, 0);
	return true;
}

/* ----- who goes first ----- */

/* The requests of the reserve that people have not yet used in this minute or window. */
static int
left_of_reserve(const DncAllowance *allowance, int per_minute)
{
	int			limit = allowance->limit > 0 ? allowance->limit : per_minute;
	int64		used = allowance->limit > 0 ? allowance->by_people : allowance->people_started;

	return (int) Max(Min(dnc_reserve, limit / 2) - used, 0);
}

/* Does a more urgent request wait? */
static bool
is_behind(const DncAllowance *allowance, DncNeed need, int64 now)
{
	for (int i = 0; i < (int) need; i++)
	{
		if (allowance->waits_until[i] > now)
			return true;
	}
	return false;
}

/* Microseconds until we may send a request of this need, or should ask again; 0: send now. */
static int64
wait_for_turn(DncAllowance *allowance, DncNeed need, int per_minute, int64 now)
{
	int			reserve = left_of_reserve(allowance, per_minute);
	int			left = dnc_rate_limit_background ? reserve : 0;
	bool		limited = allowance->limit > 0 || per_minute > 0;
	int64		wait = allowance->limit > 0
					 ? wait_for_window(allowance, left, now)
					 : wait_for_slot(allowance, per_minute > 0 ? per_minute - left : 0, now);

	wait = Max(wait, allowance->paused_until - now);
	if (wait > 0)
		allowance->waits_until[need] = now + wait + COMES_BACK_MS * 1000;
	else if (limited && (dnc_rate_limit_background || reserve == 0) &&
			 is_behind(allowance, need, now))
		wait = BEHIND_MS * 1000;
	return Max(wait, 0);
}

/* ----- what others call ----- */

/*
 * May we send a request now?  0: yes; it is counted, and *ticket goes with it until
 * dnc_rate_limit_answered() or dnc_rate_limit_lost() takes the ticket back.  Otherwise, the
 * result is the milliseconds after which to ask again.
 */
double
dnc_rate_limit_admit(const DncOptions *options, DncNeed need, DncRateTicket *ticket)
{
	DncAllowance *allowance;
	int64		now;
	int64		wait;

	if (need == DNC_NEED_LOOKUP && dnc_rate_limit_mirror)
		need = DNC_NEED_MIRROR;
	allowance =
		dnc_allowance_lock(options->serverid, options->mapping, true, dnc_rate_limit_clock());
	now = dnc_rate_limit_clock();
	go_to_slot(allowance, now);
	if (allowance->limit > 0)
		go_to_window(allowance, now);
	wait = wait_for_turn(allowance, need, options->requests_per_minute, now);
	if (wait == 0)
	{
		allowance->promised++;
		count_start(allowance);
		ticket->serverid = options->serverid;
		ticket->mapping = options->mapping;
		ticket->sent = now;
		ticket->window = allowance->window;
	}
	dnc_allowance_unlock();
	return wait / 1000.0;
}

/* A request was answered: learn from the answer's headers. */
void
dnc_rate_limit_answered(const DncRateTicket *ticket, const DncRateHeaders *rate)
{
	DncAllowance *allowance =
		dnc_allowance_lock(ticket->serverid, ticket->mapping, false, dnc_rate_limit_clock());

	if (allowance)
	{
		(void) end_promise(allowance, ticket);
		if (rate->limit > 0)
			learn(allowance, ticket->sent, rate);
		else
			allowance->limit = 0;
	}
	dnc_allowance_unlock();
}

/*
 * A request ended without an answer that helps, or was cancelled.  If it may have arrived, it
 * counts against the window.  Raises nothing.
 */
void
dnc_rate_limit_lost(const DncRateTicket *ticket, bool arrived)
{
	DncAllowance *allowance =
		dnc_allowance_lock(ticket->serverid, ticket->mapping, false, dnc_rate_limit_clock());

	if (allowance && end_promise(allowance, ticket) && arrived &&
		allowance->remaining != DNC_RATE_UNKNOWN)
		allowance->remaining--;
	dnc_allowance_unlock();
}

/* libcurl has sent a request once more by itself: the vendor counts that request, too. */
void
dnc_rate_limit_resent(const DncRateTicket *ticket)
{
	DncAllowance *allowance =
		dnc_allowance_lock(ticket->serverid, ticket->mapping, false, dnc_rate_limit_clock());

	if (allowance)
	{
		go_to_slot(allowance, dnc_rate_limit_clock());
		count_start(allowance);
		if (ticket->window == allowance->window && allowance->remaining != DNC_RATE_UNKNOWN)
			allowance->remaining--;
	}
	dnc_allowance_unlock();
}

/* Let no request through for this many milliseconds. */
void
dnc_rate_limit_pause(const DncRateTicket *ticket, double ms)
{
	DncAllowance *allowance =
		dnc_allowance_lock(ticket->serverid, ticket->mapping, true, dnc_rate_limit_clock());
	int64		until = dnc_rate_limit_clock() + (int64) (ms * 1000);

	allowance->paused_until = Max(allowance->paused_until, until);
	dnc_allowance_unlock();
}
