/*-------------------------------------------------------------------------
 *
 * commit.h
 *		Pending writes on their way to the servers: at COMMIT, or at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COMMIT_H
#define DNC_COMMIT_H

#include "write/commit_report.h"
#include "write/pending.h"

/* The writes of a transaction to one account, which may have several servers. */
typedef struct DncAccountWrites
{
	struct DncAccountWrites *next;
	const char *name;			/* from the option "account" */
	const DncProvider *provider;
	DncPending *pending;		/* the writes that wait */
	int			write_mode;		/* DncWriteMode of these */
	void		(*store) (struct DncAccountWrites *account);	/* stores the waiting writes at
																 * COMMIT; NULL: they are sent */
} DncAccountWrites;

/* A request that the remote has acknowledged, and the writes in it. */
typedef struct DncAcknowledged
{
	DncWrite  **writes;			/* all of one action, to one server */
	int			count;
	bool		unchanged;		/* DNC_OUTCOME_UNCHANGED */
	int			status;			/* of its answer; 0: none */
	TimestampTz requested;		/* before the last try was sent, as in DncSent */
	TimestampTz answered;		/* when its answer was known, as in DncSent */
} DncAcknowledged;

/* Called before the writes of an account are sent; raises an error to prevent that. */
typedef void (*DncBeforeSending) (const DncPending *pending);

/*
 * Called for each server after the sending, with the requests that it has acknowledged, in any
 * order.  failed: a request has failed, and an error follows.  After a thrown error we do not
 * call this.
 */
typedef void (*DncAfterSending) (const DncAcknowledged *requests, int count, bool failed);

extern void dnc_commit_register(DncBeforeSending before, DncAfterSending after);
extern void dnc_commit_send_all(DncServerWrites *servers, DncAccountWrites *accounts,
								MemoryContext context);
extern int64 dnc_commit_send_now(DncServerWrites *servers, DncAccountWrites *accounts,
								 const DncTarget *target);
extern void dnc_commit_log_cut_off(void);

#endif							/* DNC_COMMIT_H */
