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

extern BlockNumber dnc_analyze_pages(Relation relation);
extern int	dnc_analyze_sample(Relation relation, int elevel, HeapTuple *rows, int target,
							   double *total, double *dead);

#endif							/* DNC_ANALYZE_H */
