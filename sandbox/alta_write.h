/*
 * alta_write.h
 *		Alta's requests that change the list: add and delete.
 */
#ifndef SB_ALTA_WRITE_H
#define SB_ALTA_WRITE_H

#include "api.h"

extern void sb_alta_write(SbCall *call);

#endif							/* SB_ALTA_WRITE_H */
