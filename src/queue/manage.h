/*-------------------------------------------------------------------------
 *
 * manage.h
 *		The functions by which people manage the queue: retry, discard, resume, adopt.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_MANAGE_H
#define DNC_QUEUE_MANAGE_H

extern int64 dnc_queue_retry(Datum ids);
extern int64 dnc_queue_discard(Datum ids, const char *reason);
extern int64 dnc_queue_resume(Oid serverid);
extern int64 dnc_queue_adopt(void);

#endif							/* DNC_QUEUE_MANAGE_H */
