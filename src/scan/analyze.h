/*-------------------------------------------------------------------------
 *
 * analyze.h
 *		ANALYZE of a list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ANALYZE_H
#define DNC_ANALYZE_H

#include "utils/rel.h"

extern bool dnc_analyze_prepare(Relation relation, BlockNumber *pages);
extern int	dnc_analyze_sample(Relation relation, int elevel, HeapTuple *rows, int target,
							   double *total, double *dead);

#endif							/* DNC_ANALYZE_H */
