/*-------------------------------------------------------------------------
 *
 * lookups.h
 *		Looks up entries that are missing from several passes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_LOOKUPS_H
#define DNC_LOOKUPS_H

#include "mirror/pass.h"
#include "request/counters.h"

/* An entry to look up; UTF-8. */
typedef struct DncCandidate
{
	char	   *identity;
	char	   *identifier;
	char	   *type;			/* NULL: it has none */
} DncCandidate;

extern List *dnc_lookups_find(const DncPass *pass);
extern void dnc_lookups_ask(DncPass *pass, const DncCandidate *candidate, DncCounters *counters,
							bool *asking);

#endif							/* DNC_LOOKUPS_H */
