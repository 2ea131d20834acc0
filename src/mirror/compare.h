/*-------------------------------------------------------------------------
 *
 * compare.h
 *		How a full pass differs from its mirror.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COMPARE_H
#define DNC_COMPARE_H

#include "mirror/pass.h"

/* How many entries differ, of each kind. */
typedef struct DncDifferences
{
	int64		missing;		/* in the mirror, and not seen by the pass */
	int64		added;			/* seen, and not in the mirror */
	int64		changed;		/* others than in the mirror, or back */
	bool		from_nothing;	/* the mirror is empty: all that was seen is new */
} DncDifferences;

extern void dnc_compare(const DncPass *pass, const DncQueueArguments *arguments,
						DncDifferences *differences);

#endif							/* DNC_COMPARE_H */
