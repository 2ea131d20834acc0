/*-------------------------------------------------------------------------
 *
 * rate_limit.c
 *		When the next request to a server may be sent.
 *
 * A vendor allows an account so many requests in a window of time.  What is
 * known of that is an allowance, which all sessions of the cluster share that
 * speak to the same server with the same user mapping.  A request is let
 * through, or told how long it has to wait; what its answer says of the
 * allowance is taken in.  Nothing waits here.
 *
 * Where answers carry RateLimit headers, these count: no more requests are let
 * through than remain, less those that are under way, until the window ends.
 * Where they do not, or before the first has come, no more than
 * requests_per_minute begin within any 60 seconds.  After a Retry-After none
 * is let through until that is over.
 *
 * The headers have whole seconds, rounded up (rounded down, they would earn the
 * next request a 429), and the answer was made at some time between its
 * request and its arrival.  So an answer gives bounds for the window's end.  Of
 * several answers in a window the earliest bound is the best; and an answer
 * whose bounds lie behind the window's end speaks of a later one.  An answer
 * that is looked at late, because its session had something else to do, is told
 * by its bounds too.
 *
 * The allowances are in shared memory (shmem.c).  Where there is none, and for an
 * allowance that finds no room there, each session has its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/hsearch.h"

#include "request/rate_limit.h"
#include "request/retry.h"
#include "shmem.h"

#define SECOND INT64CONST(1000000)	/* in the units of dnc_rate_limit_clock() */
#define MINUTE (60 * SECOND)

/* Allowances in shared memory, and for how long one is kept that is not used. */
#define MAX_SHARED 256
#define KEPT (5 * MINUTE)

/*
 * Starts of requests are counted by slots of time.  Those of the last minute
 * lie in the slot at hand and 240 before it; one more is for the time that a
 * request takes to get to the server.  So a minute is taken for half a second
 * longer than it is at the most.
 */
#define SLOT (MINUTE / 240)
#define SLOTS (240 + 2)

/* When to ask again where it depends on answers that may come any time; ms. */
#define ASK_AGAIN_MS 20

#define UNKNOWN INT_MAX

typedef struct AllowanceKey
{
	Oid			databaseid;
	Oid			serverid;
	Oid			mapping;
} AllowanceKey;

/* Times are on dnc_rate_limit_clock(). */
typedef struct Allowance
{
	AllowanceKey key;
	int64		used;			/* when it was looked at last */
	int64		paused_until;

	/* The server's window, as its headers tell. */
	int			limit;			/* 0: its answers have no headers */
	int			remaining;		/* in this window; UNKNOWN */
	int			promised;		/* to requests that are under way, of these */
	uint32		window;			/* its number */
	int64		previous_end;	/* when the window before it had surely ended */
	int64		end;			/* when it will surely have ended; 0: not known yet */

	/* Requests of the last minute. */
	int64		slot;			/* the one at hand; SLOTS at the clock's zero */
	int64		started;		/* in all slots */
	uint32		starts[SLOTS];	/* by slot modulo SLOTS */
} Allowance;

typedef struct SharedAllowances
{
	DncSharedLock lock;			/* over all that follows */
	int			count;
	Allowance	allowances[MAX_SHARED];
} SharedAllowances;

static void init_shared(void *memory);

/* The number changes with the layout. */
static DncSharedArea shared_area = {.name = "dnc_fdw 1", .size = sizeof(SharedAllowances),
.init = init_shared};

static SharedAllowances *shared = NULL;

/* This session's own, those that are not shared. */
static HTAB *own_allowances = NULL;

/* ----- memory ----- */

/* Set up the shared memory. */
static void
init_shared(void *memory)
{
	SharedAllowances *all = memory;

	dnc_shmem_init_lock(&all->lock);
	all->count = 0;
}

/* For _PG_init(): have the memory reserved where the library is preloaded. */
void
dnc_rate_limit_init(void)
{
	dnc_shmem_register(&shared_area);
}

/*
 * Microseconds of a monotonic clock that all processes of a machine share and
 * nobody sets.  Wall-clock time can be set back, and would then stop all
 * requests until it has caught up.
 */
int64
dnc_rate_limit_clock(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}

/* A new allowance, of which nothing is known. */
static void
begin_allowance(Allowance *allowance, const AllowanceKey *key)
{
	memset(allowance, 0, sizeof(Allowance));
	allowance->key = *key;
	allowance->remaining = UNKNOWN;
}

/* May an allowance that was not used for so long be forgotten? */
static bool
is_idle(const Allowance *allowance, int64 now)
{
	return now - allowance->used > KEPT && now > allowance->paused_until && now > allowance->end;
}

/*
 * The shared allowance of a key, a new one if make says so; NULL: there is
 * none, or no room for it.  With the lock held.
 */
static Allowance *
find_shared(const AllowanceKey *key, bool make)
{
	int64		now = dnc_rate_limit_clock();
	Allowance  *room = NULL;

	for (int i = 0; i < shared->count; i++)
	{
		Allowance  *allowance = &shared->allowances[i];

		if (memcmp(&allowance->key, key, sizeof(*key)) == 0)
			return allowance;
		if (room == NULL && is_idle(allowance, now))
			room = allowance;
	}
	if (!make)
		return NULL;
	if (room == NULL && shared->count < MAX_SHARED)
		room = &shared->allowances[shared->count++];
	if (room)
		begin_allowance(room, key);
	return room;
}

/* Forget this session's own allowances that were not used for long. */
static void
forget_own(void)
{
	int64		now = dnc_rate_limit_clock();
	HASH_SEQ_STATUS status;
	Allowance  *allowance;

	hash_seq_init(&status, own_allowances);
	while ((allowance = hash_seq_search(&status)) != NULL)
	{
		if (is_idle(allowance, now))
			hash_search(own_allowances, &allowance->key, HASH_REMOVE, NULL);
	}
}

/* This session's own allowance of a key, made if make says so; NULL: none. */
static Allowance *
find_own(const AllowanceKey *key, bool make)
{
	Allowance  *allowance;

	if (own_allowances == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(AllowanceKey), .entrysize = sizeof(Allowance)};

		if (!make)
			return NULL;
		own_allowances = hash_create("dnc_fdw allowances", 8, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	allowance = hash_search(own_allowances, key, HASH_FIND, NULL);
	if (allowance || !make)
		return allowance;
	forget_own();
	allowance = hash_search(own_allowances, key, HASH_ENTER, NULL);
	begin_allowance(allowance, key);
	return allowance;
}

/*
 * The allowance for a server and its user mapping; NULL: make is false, and
 * there is none.  One that has become a session's own stays so, as there are
 * requests that count on it.  unlock_allowance() has to follow.
 */
static Allowance *
lock_allowance(Oid serverid, Oid mapping, bool make)
{
	AllowanceKey key = {MyDatabaseId, serverid, mapping};
	Allowance  *allowance = find_own(&key, false);

	if (allowance == NULL && shared)
	{
		LWLockAcquire(&shared->lock.lock, LW_EXCLUSIVE);
		allowance = find_shared(&key, make);
		if (allowance == NULL)
			LWLockRelease(&shared->lock.lock);
	}
	if (allowance == NULL && make)
		allowance = find_own(&key, true);
	if (allowance)
		allowance->used = dnc_rate_limit_clock();
	return allowance;
}

static void
unlock_allowance(void)
{
	if (shared && LWLockHeldByMe(&shared->lock.lock))
		LWLockRelease(&shared->lock.lock);
}

/* ----- the last minute ----- */

/* Go to the slot of a time; what was counted in those that are over is gone. */
static void
go_to_slot(Allowance *allowance, int64 now)
{
	int64		slot = now / SLOT + SLOTS;
	int64		first = Max(allowance->slot + 1, slot - SLOTS + 1);

	for (int64 i = first; i <= slot; i++)
	{
		allowance->started -= allowance->starts[i % SLOTS];
		allowance->starts[i % SLOTS] = 0;
	}
	allowance->slot = Max(slot, allowance->slot);
}

/*
 * How long until one more request may begin by requests_per_minute: until as
 * many of the oldest slots are over as have to be.
 */
static int64
wait_for_slot(const Allowance *allowance, int per_minute, int64 now)
{
	int64		left = allowance->started;
	int64		slot = allowance->slot - SLOTS;

	if (per_minute == 0)
		return 0;
	while (left >= per_minute)
		left -= allowance->starts[++slot % SLOTS];
	return Max(slot * SLOT - now, 0);
}

/* ----- the server's window ----- */

/*
 * The window is over.  What is under way was counted in it, and no longer
 * matters.
 */
static void
next_window(Allowance *allowance)
{
	allowance->window++;
	allowance->remaining = allowance->limit;
	allowance->promised = 0;
	allowance->previous_end = allowance->end;
	allowance->end = 0;
}

/* Go to the window of a time: the next one, if that at hand is over. */
static void
go_to_window(Allowance *allowance, int64 now)
{
	if (allowance->end != 0 && now >= allowance->end)
		next_window(allowance);
}

/* How long until one more request may be sent by what the headers say. */
static int64
wait_for_window(const Allowance *allowance, int64 now)
{
	if (allowance->remaining > allowance->promised)
		return 0;
	/* When a window ends, its first answer says: somebody has to ask. */
	if (allowance->end == 0)
		return allowance->promised == 0 ? 0 : ASK_AGAIN_MS * 1000;
	if (allowance->remaining <= 0)
		return allowance->end - now;
	return Min(allowance->end - now, ASK_AGAIN_MS * 1000);
}

/* Take in what the headers of an answer say. */
static void
learn(Allowance *allowance, int64 sent, const DncRateHeaders *rate)
{
	int64		reset = (int64) (Min(rate->reset_ms, DNC_LONGEST_PAUSE_MS) * 1000);
	int64		from = sent + reset - SECOND;
	int64		to = dnc_rate_limit_clock() + reset;

	allowance->limit = rate->limit;
	if (from <= allowance->previous_end)
		return;					/* an old window's */
	if (allowance->end != 0 && from > allowance->end)
		next_window(allowance);
	allowance->remaining = Min(allowance->remaining, rate->remaining);
	allowance->end = allowance->end == 0 ? to : Min(allowance->end, to);
}

/* A request of this window is no longer under way; false: it is of another. */
static bool
end_promise(Allowance *allowance, const DncRateTicket *ticket)
{
	if (ticket->window != allowance->window)
		return false;
	allowance->promised = Max(allowance->promised - 1, 0);
	return true;
}

/* ----- what others call ----- */

/*
 * May a request be sent now?  0: yes, it is counted, and *ticket goes with it
 * until dnc_rate_limit_answered() or dnc_rate_limit_lost() takes it back.  Otherwise
 * milliseconds, after which to ask again.
 */
double
dnc_rate_limit_admit(const DncOptions *options, DncRateTicket *ticket)
{
	Allowance  *allowance;
	int64		now;
	int64		wait;

	shared = dnc_shmem_attach(&shared_area);
	allowance = lock_allowance(options->serverid, options->mapping, true);
	now = dnc_rate_limit_clock();
	go_to_slot(allowance, now);
	if (allowance->limit > 0)
		go_to_window(allowance, now);
	wait = allowance->limit > 0 ? wait_for_window(allowance, now)
		: wait_for_slot(allowance, options->requests_per_minute, now);
	wait = Max(wait, allowance->paused_until - now);
	if (wait <= 0)
	{
		allowance->promised++;
		allowance->started++;
		allowance->starts[allowance->slot % SLOTS]++;
		ticket->serverid = options->serverid;
		ticket->mapping = options->mapping;
		ticket->sent = now;
		ticket->window = allowance->window;
	}
	unlock_allowance();
	return Max(wait, 0) / 1000.0;
}

/* A request was answered: take in what the headers of the answer say. */
void
dnc_rate_limit_answered(const DncRateTicket *ticket, const DncRateHeaders *rate)
{
	Allowance  *allowance = lock_allowance(ticket->serverid, ticket->mapping, false);

	if (allowance)
	{
		(void) end_promise(allowance, ticket);
		if (rate->limit > 0)
			learn(allowance, ticket->sent, rate);
		else
			allowance->limit = 0;
	}
	unlock_allowance();
}

/*
 * A request ended without an answer that tells anything, or was cancelled.  It
 * stays counted, unless it surely has not arrived.  Raises nothing.
 */
void
dnc_rate_limit_lost(const DncRateTicket *ticket, bool arrived)
{
	Allowance  *allowance = lock_allowance(ticket->serverid, ticket->mapping, false);

	if (allowance && end_promise(allowance, ticket) && arrived && allowance->remaining != UNKNOWN)
		allowance->remaining--;
	unlock_allowance();
}

/* libcurl has sent a request once more by itself: the vendor counts that one, too. */
void
dnc_rate_limit_resent(const DncRateTicket *ticket)
{
	Allowance  *allowance = lock_allowance(ticket->serverid, ticket->mapping, false);

	if (allowance)
	{
		go_to_slot(allowance, dnc_rate_limit_clock());
		allowance->started++;
		allowance->starts[allowance->slot % SLOTS]++;
		if (ticket->window == allowance->window && allowance->remaining != UNKNOWN)
			allowance->remaining--;
	}
	unlock_allowance();
}

/* No request is to be let through for so many milliseconds. */
void
dnc_rate_limit_pause(const DncRateTicket *ticket, double ms)
{
	Allowance  *allowance = lock_allowance(ticket->serverid, ticket->mapping, true);
	int64		until = dnc_rate_limit_clock() + (int64) (ms * 1000);

	allowance->paused_until = Max(allowance->paused_until, until);
	unlock_allowance();
}
