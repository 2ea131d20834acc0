/*-------------------------------------------------------------------------
 *
 * merge.h
 *		Brings the entries that a pass has read into the mirror.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_MERGE_H
#define DNC_MERGE_H

#include "mirror/pass.h"

extern const char *dnc_merge_full(DncPass *pass, bool accept_loss, bool *is_loss);
extern void dnc_merge_delta(DncPass *pass, bool complete);

#endif							/* DNC_MERGE_H */
