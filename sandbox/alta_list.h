/*
 * alta_list.h
 *		Alta's list request: its parameters, pages and cursors.
 */
#ifndef SB_ALTA_LIST_H
#define SB_ALTA_LIST_H

#include "api.h"

extern void sb_alta_list(SbCall *call);

#endif							/* SB_ALTA_LIST_H */
