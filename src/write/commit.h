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

/* What a transaction has written to one account, which may have several servers. */
typedef struct DncAccountWrites
{
	struct DncAccountWrites *next;
	const char *name;			/* the option "account" */
	const DncProvider *provider;
	DncPending *pending;		/* what waits */
	int			write_mode;		/* DncWriteMode of what waits */
	void		(*store) (struct DncAccountWrites *account);	/* stores what waits at COMMIT;
																 * NULL: it is sent */
} DncAccountWrites;

/* A request that the remote has acknowledged, and the writes in it. */
typedef struct DncAcknowledged
{
	DncWrite  **writes;			/* all of one action, to one server */
	int			count;
	bool		unchanged;		/* DNC_OUTCOME_UNCHANGED */
	int			status;			/* of its answer; 0: none */
	TimestampTz requested;		/* as in DncSent */
	TimestampTz answered;		/* likewise */
} DncAcknowledged;

/* Called before the writes of an account are sent; raises an error to prevent that. */
typedef void (*DncBeforeSending) (const DncPending *pending);

/*
 * Called with what a server has acknowledged, when all was sent, or the sending has failed and an
 * error follows; requests in any order.
 */
typedef void (*DncAfterSending) (const DncAcknowledged *requests, int count, bool failed);

extern void dnc_commit_register(DncBeforeSending before, DncAfterSending after);
extern void dnc_commit_send_all(DncServerWrites *servers, DncAccountWrites *accounts,
								MemoryContext context);
extern int64 dnc_commit_send_now(DncServerWrites *servers, DncAccountWrites *accounts,
								 const DncTarget *target);
extern void dnc_commit_log_cut_off(void);

#endif							/* DNC_COMMIT_H */
