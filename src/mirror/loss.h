/*-------------------------------------------------------------------------
 *
 * loss.h
 *		Is more of a list missing than can be right?
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_LOSS_H
#define DNC_LOSS_H

#include "mirror/pass.h"

extern const char *dnc_loss_check(const DncPass *pass, const DncQueueArguments *arguments);

#endif							/* DNC_LOSS_H */
