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

/* The numbers of entries that differ, by kind. */
typedef struct DncDifferences
{
	int64		missing;		/* in the mirror, but the pass has not seen them */
	int64		added;			/* seen, but not in the mirror */
	int64		changed;		/* seen with other values, or back after they were missing */
	bool		from_nothing;	/* the mirror is empty: all entries are new, the numbers are 0 */
} DncDifferences;

extern void dnc_compare(const DncPass *pass, const DncQueueArguments *arguments,
						DncDifferences *differences);

#endif							/* DNC_COMPARE_H */
