/*-------------------------------------------------------------------------
 *
 * utility.h
 *		Statements that our processes must not obstruct.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_WORKER_UTILITY_H
#define DNC_WORKER_UTILITY_H

extern void dnc_utility_init(void);

#endif							/* DNC_WORKER_UTILITY_H */
