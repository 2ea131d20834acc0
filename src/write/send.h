/*-------------------------------------------------------------------------
 *
 * send.h
 *		The writes of one queue as requests, several of them under way at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_SEND_H
#define DNC_SEND_H

#include "write/pending.h"

typedef struct DncSend DncSend;

/* What is not known about requests that ended in an error. */
typedef struct DncUnclear
{
	int			requests;
	int			entries;
} DncUnclear;

extern int64 dnc_send_requests(const DncPending *queue);
extern DncSend *dnc_send_begin(DncPending *queue);
extern int64 dnc_send_run(DncSend *dispatch);
extern void dnc_send_settle(DncSend *dispatch, bool wait, DncUnclear *unclear);

#endif							/* DNC_SEND_H */
