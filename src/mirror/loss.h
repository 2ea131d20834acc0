/*-------------------------------------------------------------------------
 *
 * loss.h
 *		Is a suspicious part of a list missing?
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_LOSS_H
#define DNC_LOSS_H

#include "mirror/compare.h"

extern const char *dnc_loss_check(const DncPass *pass, const DncQueueArguments *arguments,
								  const DncDifferences *differences);

#endif							/* DNC_LOSS_H */
