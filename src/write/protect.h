/*-------------------------------------------------------------------------
 *
 * protect.h
 *		No removal of what the same transaction adds.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PROTECT_H
#define DNC_PROTECT_H

#include "write/pending.h"

extern void dnc_protect_added(DncPending *pending);

#endif							/* DNC_PROTECT_H */
