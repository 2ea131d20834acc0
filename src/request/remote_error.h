/*-------------------------------------------------------------------------
 *
 * remote_error.h
 *		The remote's faults as PostgreSQL errors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_REMOTE_ERROR_H
#define DNC_REMOTE_ERROR_H

#include "config/option.h"
#include "wire/http.h"
#include "wire/json.h"

/* How often, and for how long, we tried a request before we gave up. */
typedef struct DncTries
{
	int			count;
	double		elapsed_ms;
	double		asked_wait_ms;	/* we gave up because this is longer than max_wait; else 0 */
} DncTries;

/* A fault, in the words of an error. */
typedef struct DncProblem
{
	int			sqlstate;
	const char *message;
	const char *detail;			/* one sentence or several; hint has the same form */
	const char *hint;
} DncProblem;

extern DncProblem dnc_remote_error_breach(const DncOptions *options, const char *format,...)
			pg_attribute_printf(2, 3);
_Noreturn extern void dnc_remote_error_contract(const DncOptions *options, const char *format,...)
			pg_attribute_printf(2, 3);
extern DncProblem dnc_remote_error_problem(const DncOptions *options, const DncHttpAnswer *answer,
										   const DncTries *tries);
_Noreturn extern void dnc_remote_error_raise(const DncProblem *problem);
extern bool dnc_remote_error_is(int sqlstate);
extern char *dnc_remote_error_api_message(const DncOptions *options, const DncJson *tree);
extern char *dnc_remote_error_text(const DncOptions *options, const char *utf8);

#endif							/* DNC_REMOTE_ERROR_H */
