/*-------------------------------------------------------------------------
 *
 * delta.h
 *		Reads what is new on a list, for its mirror.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_DELTA_H
#define DNC_DELTA_H

#include "mirror/stage.h"
#include "request/counters.h"

extern bool dnc_delta_run(const DncMirror *mirror, DncStage *stage, DncCounters *counters,
						  void (*commit) (void));

#endif							/* DNC_DELTA_H */
