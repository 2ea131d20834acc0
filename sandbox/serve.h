/*
 * serve.h
 *		The steps of an API request, in their order, for all vendors.
 */
#ifndef SB_SERVE_H
#define SB_SERVE_H

#include "http.h"

extern int64_t sb_serve_think(SbRequest *req);
extern bool sb_serve_request(SbRequest *req);
extern void sb_serve_answered(SbRequest *req);
extern void sb_serve_finished(SbRequest *req);

#endif							/* SB_SERVE_H */
