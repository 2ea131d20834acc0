/*-------------------------------------------------------------------------
 *
 * message.h
 *		What requests carry besides their content.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_MESSAGE_H
#define DNC_MESSAGE_H

#include "request/call.h"
#include "wire/http.h"

extern void dnc_request_prepare(const DncOptions *options, const DncRequest *request,
								DncHttpRequest *http);

#endif							/* DNC_MESSAGE_H */
