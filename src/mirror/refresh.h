/*-------------------------------------------------------------------------
 *
 * refresh.h
 *		Brings a mirror up to date.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_REFRESH_H
#define DNC_REFRESH_H

/* What is to be done, and how the one who does it ends a transaction. */
typedef struct DncRefresh
{
	Oid			source;			/* the foreign table */
	bool		delta;			/* only what is new; otherwise a full pass, or the rest of one */
	bool		accept_loss;
	int			max_requests;	/* 0: as many as it takes */
	void		(*commit) (void);	/* ends the transaction, and begins the next one */
	void		(*rollback) (void); /* likewise, after an error */
	MemoryContext context;		/* outlives the transactions */
} DncRefresh;

extern bool dnc_mirror_refresh(const DncRefresh *refresh);
extern void dnc_mirror_refresh_by_call(DncRefresh *refresh);

#endif							/* DNC_REFRESH_H */
