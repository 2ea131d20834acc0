/*-------------------------------------------------------------------------
 *
 * max_requests.h
 *		Budgets: the requests that we may send to a server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_MAX_REQUESTS_H
#define DNC_MAX_REQUESTS_H

#include "datatype/timestamp.h"

#include "config/option.h"

/*
 * The number of requests that we may send to one server.  Each statement has one budget for
 * each user mapping: see dnc_max_requests_of_statement().  Code that sends outside of a
 * statement, or with another limit, keeps its own budget, which begins as zeros except for the
 * limit.
 */
typedef struct DncBudget
{
	int			limit;			/* 0: none */
	int64		sent;			/* so far, including requests that still wait */
	bool		is_soft;		/* the owner checks for the end; one request more is no error */
	bool		of_statement;	/* starts again at zero with each statement */
	TimestampTz statement;		/* of_statement: start of the statement that sent is about */
} DncBudget;

extern int	dnc_max_requests;	/* setting dnc_fdw.max_requests; 0: no limit */

extern DncBudget *dnc_max_requests_of_statement(const DncOptions *options);
extern bool dnc_max_requests_allows(const DncBudget *budget, int64 more);
extern void dnc_max_requests_require(const DncBudget *budget, const DncOptions *options,
									 int64 more);
extern void dnc_max_requests_spend(DncBudget *budget);

#endif							/* DNC_MAX_REQUESTS_H */
