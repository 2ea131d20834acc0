/*
 * control.h
 *		The endpoints below /sandbox/ with which tests and people direct the sandbox.
 */
#ifndef SB_CONTROL_H
#define SB_CONTROL_H

#include "http.h"

extern void sb_control_serve(SbRequest *req);

#endif							/* SB_CONTROL_H */
