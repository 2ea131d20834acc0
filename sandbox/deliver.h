/*
 * deliver.h
 *		Getting an answer over the wire: at once, late, slowly, in part, or not at all.
 */
#ifndef SB_DELIVER_H
#define SB_DELIVER_H

#include <microhttpd.h>

#include "http.h"

extern void sb_deliver_init(int epoll_fd);
extern bool sb_deliver_postpone(SbRequest *req);
extern enum MHD_Result sb_deliver(SbRequest *req);
extern void sb_deliver_resume(SbRequest *req);
extern void sb_deliver_gone(SbRequest *req);

#endif							/* SB_DELIVER_H */
