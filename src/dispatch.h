/*-------------------------------------------------------------------------
 *
 * dispatch.h
 *		The writes of one queue as requests, several of them under way at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_DISPATCH_H
#define DNC_DISPATCH_H

#include "queue.h"

typedef struct DncDispatch DncDispatch;

/* What is not known about requests that ended in an error. */
typedef struct DncUnclear
{
	int			requests;
	int			entries;
} DncUnclear;

extern int64 dnc_dispatch_requests(const DncQueue *queue);
extern DncDispatch *dnc_dispatch_begin(DncQueue *queue);
extern int64 dnc_dispatch_run(DncDispatch *dispatch);
extern void dnc_dispatch_settle(DncDispatch *dispatch, bool wait, DncUnclear *unclear);

#endif							/* DNC_DISPATCH_H */
