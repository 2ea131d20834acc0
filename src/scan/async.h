/*-------------------------------------------------------------------------
 *
 * async.h
 *		Reading several servers at once, under Append.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ASYNC_H
#define DNC_ASYNC_H

#include "nodes/execnodes.h"

extern void dnc_async_request(AsyncRequest *request);
extern void dnc_async_wait(AsyncRequest *request);

#endif							/* DNC_ASYNC_H */
