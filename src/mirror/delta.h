/*-------------------------------------------------------------------------
 *
 * delta.h
 *		Reads the new entries of a list, for its mirror.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_DELTA_H
#define DNC_DELTA_H

#include "mirror/stage.h"
#include "request/counters.h"

extern bool dnc_delta_run(const DncMirror *mirror, DncPass **pass, DncStage *stage,
						  DncCounters *counters, bool *asking, void (*commit_by) (void));

#endif							/* DNC_DELTA_H */
