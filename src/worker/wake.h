/*-------------------------------------------------------------------------
 *
 * wake.h
 *		Wakes the scheduler of this database when a transaction has committed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_WORKER_WAKE_H
#define DNC_WORKER_WAKE_H

extern void dnc_wake_at_commit(void);

#endif							/* DNC_WORKER_WAKE_H */
