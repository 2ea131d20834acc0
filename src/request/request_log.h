/*-------------------------------------------------------------------------
 *
 * request_log.h
 *		Lines about requests in the server's log.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_REQUEST_LOG_H
#define DNC_REQUEST_LOG_H

#include "request/request.h"

extern bool dnc_log_requests;	/* setting dnc_fdw.log_requests */

extern void dnc_request_log(const DncOptions *options, const DncRequest *request,
							const DncHttpAnswer *answer, double ms);

#endif							/* DNC_REQUEST_LOG_H */
