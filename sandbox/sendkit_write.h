/*
 * sendkit_write.h
 *		SendKit's requests that change the list: add, import, delete.
 */
#ifndef SB_SENDKIT_WRITE_H
#define SB_SENDKIT_WRITE_H

#include "api.h"

extern void sb_sendkit_write(SbCall *call);

#endif							/* SB_SENDKIT_WRITE_H */
