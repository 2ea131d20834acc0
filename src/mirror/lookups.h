/*-------------------------------------------------------------------------
 *
 * lookups.h
 *		Looks entries up that are missing from several passes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_LOOKUPS_H
#define DNC_LOOKUPS_H

#include "mirror/pass.h"
#include "request/counters.h"

extern bool dnc_lookups_next(DncPass *pass, DncCounters *counters, DncBudget *budget, bool *asking);

#endif							/* DNC_LOOKUPS_H */
