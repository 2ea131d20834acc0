/*-------------------------------------------------------------------------
 *
 * asking.h
 *		The requests of a scan for its current values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ASKING_H
#define DNC_ASKING_H

#include "scan/state.h"

extern bool dnc_asking_may_be_short(const DncScan *scan);
extern void dnc_asking_start(DncScan *scan);

#endif							/* DNC_ASKING_H */
