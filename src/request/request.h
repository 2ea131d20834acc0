/*-------------------------------------------------------------------------
 *
 * request.h
 *		List requests and waiting writes as HTTP requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_REQUEST_H
#define DNC_REQUEST_H

#include "request/call.h"

/*
 * The values of one entry, in the order of the call's members; NULL: left out.
 */
typedef const char *const *DncMemberValues;

extern char *dnc_request_list_target(const DncOptions *options, int limit, const char *filters,
									 const char *parameter, const char *value);
extern void dnc_request_write(const DncOptions *options, const DncWriteCall *write,
							  DncMemberValues *entries, int count, DncRequest *request);

#endif							/* DNC_REQUEST_H */
