/*-------------------------------------------------------------------------
 *
 * request.h
 *		List requests and writes as HTTP requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_REQUEST_H
#define DNC_REQUEST_H

#include "config/option.h"
#include "request/remote_error.h"
#include "wire/http.h"

/* What is to be sent.  Strings are UTF-8. */
typedef struct DncRequest
{
	const char *method;
	const char *path;			/* below the base URL, as messages show it */
	const char *target;			/* path and query */
	const char *body;			/* JSON; NULL: none */
	int			body_length;
	bool		repeatable;		/* sent twice it does what it does when sent once */
	int			accepted_status;	/* a status that the caller sees to itself; 0: none */
} DncRequest;

/*
 * The values of one entry, in the order of the call's members; NULL: left out.
 */
typedef const char *const *DncMemberValues;

extern char *dnc_request_list_target(const DncOptions *options, int limit, const char *filters,
									 const char *parameter, const char *value);
extern bool dnc_request_write(const DncOptions *options, const DncWriteCall *write,
							  DncMemberValues *entries, int count, DncRequest *request,
							  DncProblem *problem);
extern void dnc_request_prepare(const DncOptions *options, const DncRequest *request,
								DncHttpRequest *http);

#endif							/* DNC_REQUEST_H */
