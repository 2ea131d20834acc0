/*-------------------------------------------------------------------------
 *
 * message.h
 *		What requests carry besides their content, and what answers say of theirs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_MESSAGE_H
#define DNC_MESSAGE_H

#include "call.h"
#include "http.h"

extern void dnc_message_prepare(const DncOptions *options, const DncRequest *request,
								DncHttpRequest *http);
extern const DncJson *dnc_message_read(const DncOptions *options, const DncHttpAnswer *answer);

#endif							/* DNC_MESSAGE_H */
