/*-------------------------------------------------------------------------
 *
 * max_requests.h
 *		The requests that may be sent to a server: budgets.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_MAX_REQUESTS_H
#define DNC_MAX_REQUESTS_H

#include "datatype/timestamp.h"

#include "config/option.h"

/*
 * What may be sent to one server.  The present statement has one for each user mapping, found
 * by dnc_max_requests_of_statement().  Code that sends outside of a statement, or with a
 * limit of its own, keeps a budget of its own, which begins as zeros but for the limit.
 */
typedef struct DncBudget
{
	int			limit;			/* 0: none */
	int64		sent;			/* so far, waiting ones among them */
	bool		is_soft;		/* whoever has it looks for its end; one request more is no error */
	bool		of_statement;	/* begins anew with each statement */
	TimestampTz statement;		/* of_statement: when the one began that sent is of */
} DncBudget;

extern int	dnc_max_requests;	/* setting dnc_fdw.max_requests; 0: no limit */

extern DncBudget *dnc_max_requests_of_statement(const DncOptions *options);
extern bool dnc_max_requests_allows(const DncBudget *budget, int64 more);
extern void dnc_max_requests_require(const DncBudget *budget, const DncOptions *options,
									 int64 more);
extern void dnc_max_requests_spend(DncBudget *budget);

#endif							/* DNC_MAX_REQUESTS_H */
