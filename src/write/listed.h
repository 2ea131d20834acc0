/*-------------------------------------------------------------------------
 *
 * listed.h
 *		Whether the entry of a write is on the list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_LISTED_H
#define DNC_LISTED_H

#include "datatype/timestamp.h"

#include "request/max_requests.h"
#include "request/remote_error.h"
#include "write/write.h"

extern bool dnc_listed(const DncWrite *write, DncBudget *budget, DncProblem *problem,
					   TimestampTz *added);
extern bool dnc_listed_by_request(const DncWrite *write);
extern bool dnc_listed_request(const DncWrite *addition, DncBudget *budget, DncProblem *problem);

#endif							/* DNC_LISTED_H */
