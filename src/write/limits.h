/*-------------------------------------------------------------------------
 *
 * limits.h
 *		The limits on the writes to a server: max_deletes and max_requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_LIMITS_H
#define DNC_LIMITS_H

#include "write/write.h"

extern void dnc_limits_check_deletes(DncWrite **removals, int count, int64 taken);
extern void dnc_limits_check(DncWrite **const writes[DNC_NACTIONS],
							 const int counts[DNC_NACTIONS], int64 removed);

#endif							/* DNC_LIMITS_H */
