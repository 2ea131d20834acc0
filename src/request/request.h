/*-------------------------------------------------------------------------
 *
 * request.h
 *		List requests and writes as HTTP requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_REQUEST_H
#define DNC_REQUEST_H

#include "nodes/pg_list.h"

#include "config/option.h"
#include "request/need.h"
#include "request/remote_error.h"
#include "wire/http.h"

/* A query parameter that narrows a list.  Neither field is percent-encoded. */
typedef struct DncParameter
{
	const char *name;
	const char *value;			/* UTF-8 */
	bool		placeholder;	/* the value is "$1", for EXPLAIN, and stays unescaped */
} DncParameter;

/* The page of a list that we ask for. */
typedef struct DncPageRequest
{
	int			limit;			/* entries, at most; 0: there is no such page */
	const DncPaging *paging;	/* says which parameter names the page; NULL: no parameter, which
								 * means the first page */
	int64		number;			/* for numbered pages: the page's number, from 1; else 0 */
	const char *cursor;			/* for pages with cursors: this one, UTF-8; else NULL */
} DncPageRequest;

/* The content of a request.  Strings are UTF-8. */
typedef struct DncRequest
{
	const char *method;
	const char *path;			/* below the base URL; messages show this */
	const char *target;			/* path and query */
	const char *body;			/* JSON; NULL: none */
	int			body_length;
	bool		repeatable;		/* sending it twice has the same effect as sending it once */
	bool		once;			/* must not arrive twice, not even if a kept connection dies */
	DncNeed		need;
	int			accepted_status;	/* a status that the caller handles itself; 0: none */
} DncRequest;

/*
 * The values of one entry, in the order of the call's members; NULL: left out.
 */
typedef const char *const *DncMemberValues;

extern DncPageRequest dnc_request_first_page(const DncOptions *options, int limit);
extern void dnc_request_list(const DncOptions *options, const DncPageRequest *page,
							 const List *filters, DncRequest *request);
extern bool dnc_request_write(const DncOptions *options, const DncWriteCall *write,
							  DncMemberValues *entries, int count, DncRequest *request,
							  DncProblem *problem);
extern bool dnc_request_can_write(const DncOptions *options, const DncWriteCall *write,
								  DncMemberValues values, DncProblem *problem);
extern void dnc_request_prepare(const DncOptions *options, const DncRequest *request,
								DncHttpRequest *http);

#endif							/* DNC_REQUEST_H */
