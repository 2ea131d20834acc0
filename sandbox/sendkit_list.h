/*
 * sendkit_list.h
 *		SendKit's list request, in the newer generation (cursors) and the older (page numbers).
 */
#ifndef SB_SENDKIT_LIST_H
#define SB_SENDKIT_LIST_H

#include "api.h"

extern void sb_sendkit_list(SbCall *call);

#endif							/* SB_SENDKIT_LIST_H */
