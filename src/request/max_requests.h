/*-------------------------------------------------------------------------
 *
 * max_requests.h
 *		The requests that one statement may send.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_MAX_REQUESTS_H
#define DNC_MAX_REQUESTS_H

#include "config/option.h"

extern int	dnc_max_requests;	/* setting dnc_fdw.max_requests; 0: no limit */

extern bool dnc_max_requests_allows(const DncOptions *options, int64 more);
extern void dnc_max_requests_require(const DncOptions *options, int64 more);
extern void dnc_max_requests_spend(const DncOptions *options);

#endif							/* DNC_MAX_REQUESTS_H */
