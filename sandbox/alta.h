/*
 * alta.h
 *		Alta's API.
 */
#ifndef SB_ALTA_H
#define SB_ALTA_H

#include "api.h"

extern const SbApi sb_alta;

#endif							/* SB_ALTA_H */
