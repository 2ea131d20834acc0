/*-------------------------------------------------------------------------
 *
 * statistics.h
 *		ANALYZE of a list that has a mirror.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_MIRROR_STATISTICS_H
#define DNC_MIRROR_STATISTICS_H

#include "access/htup.h"
#include "storage/block.h"
#include "utils/rel.h"

extern bool dnc_statistics_prepare(Relation list, BlockNumber *pages);
extern int	dnc_statistics_sample(Relation list, int elevel, HeapTuple *rows, int target,
								  double *total, double *dead);

#endif							/* DNC_MIRROR_STATISTICS_H */
