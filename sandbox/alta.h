/*
 * alta.h
 *		What alta.c and alta_list.c share.
 */
#ifndef SB_ALTA_H
#define SB_ALTA_H

#include "api.h"

extern void sb_alta_error(SbAnswer *answer, int status, const char *message);
extern void sb_alta_list(SbCall *call);

#endif							/* SB_ALTA_H */
