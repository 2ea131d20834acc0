/*
 * weya.h
 *		Weya's API.
 */
#ifndef SB_WEYA_H
#define SB_WEYA_H

#include "api.h"

extern const SbApi sb_weya;

#endif							/* SB_WEYA_H */
