/*
 * sendkit.h
 *		SendKit's API.
 */
#ifndef SB_SENDKIT_H
#define SB_SENDKIT_H

#include "api.h"

extern const SbApi sb_sendkit;

#endif							/* SB_SENDKIT_H */
