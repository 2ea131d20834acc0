/*
 * timer.h
 *		The clock, and the requests that wait for a point in time.
 */
#ifndef SB_TIMER_H
#define SB_TIMER_H

#include "http.h"

extern int64_t sb_now_us(void);
extern int64_t sb_server_ms(void);
extern int64_t sb_epoch_ms(void);

extern void sb_timer_set(SbRequest *req, int64_t due_us);
extern void sb_timer_cancel(SbRequest *req);
extern SbRequest *sb_timer_due(int64_t now_us);
extern int64_t sb_timer_next(void);
extern void sb_timer_free(void);

#endif							/* SB_TIMER_H */
