/*-------------------------------------------------------------------------
 *
 * refresh.h
 *		Brings a mirror up to date.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_REFRESH_H
#define DNC_REFRESH_H

/* The refresh to make, and the caller's way to end a transaction. */
typedef struct DncRefresh
{
	Oid			source;			/* the foreign table */
	bool		delta;			/* read new entries only; false: a full pass, or its rest */
	bool		accept_loss;
	int			max_requests;	/* of this call; 0: no limit */
	void		(*commit) (void);	/* ends the transaction, and begins the next one */
	void		(*rollback) (void); /* does the same after an error */
	MemoryContext context;		/* outlives the transactions */
} DncRefresh;

extern bool dnc_mirror_refresh(const DncRefresh *refresh);
extern void dnc_mirror_refresh_by_call(DncRefresh *refresh);

#endif							/* DNC_REFRESH_H */
