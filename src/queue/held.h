/*-------------------------------------------------------------------------
 *
 * held.h
 *		Warnings of additions that came with a copy of a database, and that nobody sends.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_HELD_H
#define DNC_QUEUE_HELD_H

extern void dnc_held_warn(Oid serverid);
extern void dnc_held_warn_of_all(void);

#endif							/* DNC_QUEUE_HELD_H */
