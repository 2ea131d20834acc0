/*-------------------------------------------------------------------------
 *
 * forget.h
 *		Finished writes that nobody needs any more.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_FORGET_H
#define DNC_QUEUE_FORGET_H

extern int	dnc_keep_done;		/* setting dnc_fdw.keep_done, in seconds */

extern void dnc_forget_wait_for_us(void);
extern bool dnc_forget_has_open_removals(void);
extern void dnc_forget_finished(Oid serverid);

#endif							/* DNC_QUEUE_FORGET_H */
