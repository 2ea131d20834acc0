/*-------------------------------------------------------------------------
 *
 * budget.h
 *		The requests that one statement may send.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_BUDGET_H
#define DNC_BUDGET_H

#include "option.h"

extern int	dnc_max_requests;	/* setting dnc_fdw.max_requests; 0: no limit */

extern bool dnc_budget_allows(const DncOptions *options, int64 more);
extern void dnc_budget_require(const DncOptions *options, int64 more);
extern void dnc_budget_spend(const DncOptions *options);

#endif							/* DNC_BUDGET_H */
