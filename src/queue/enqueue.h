/*-------------------------------------------------------------------------
 *
 * enqueue.h
 *		write_mode 'queue': writes are stored at COMMIT, and sent later.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_ENQUEUE_H
#define DNC_QUEUE_ENQUEUE_H

extern void dnc_queue_init(void);

#endif							/* DNC_QUEUE_ENQUEUE_H */
