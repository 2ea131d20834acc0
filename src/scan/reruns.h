/*-------------------------------------------------------------------------
 *
 * reruns.h
 *		Can a plan run one of its scans more than once?
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_RERUNS_H
#define DNC_RERUNS_H

#include "nodes/execnodes.h"

extern bool dnc_reruns_are_possible(const EState *estate, const Plan *scan);

#endif							/* DNC_RERUNS_H */
