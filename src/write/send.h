/*-------------------------------------------------------------------------
 *
 * send.h
 *		Writes as requests, several of them under way at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_SEND_H
#define DNC_SEND_H

#include "request/max_requests.h"
#include "request/progress.h"
#include "write/outcome.h"

typedef struct DncSend DncSend;

/* Requests whose outcome is not known, and the writes in them. */
typedef struct DncUnclear
{
	int			requests;
	int64		writes;
} DncUnclear;

extern int64 dnc_send_requests(DncWrite **writes, int count);
extern DncSend *dnc_send_begin(DncWrite **writes, int count, DncBudget *budget,
							   DncProgress *progress);
extern bool dnc_send_next(DncSend *send, DncSent *sent);
extern void dnc_send_stop(DncSend *send);
extern void dnc_send_count_unclear(const DncSend *send, DncUnclear *unclear);

#endif							/* DNC_SEND_H */
