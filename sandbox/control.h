/*
 * control.h
 *		The endpoints below /sandbox/ by which tests and people direct the sandbox.
 */
#ifndef SB_CONTROL_H
#define SB_CONTROL_H

#include "api.h"

extern void sb_control_serve(SbRequest *req);

/* control_list.c: the endpoints that are about the list's entries. */
extern void sb_control_fill(SbAccount *account, const SbQuery *query, SbRequest *req);
extern void sb_control_put_entries(SbAccount *account, const SbQuery *query, SbRequest *req);
extern void sb_control_get_entries(SbAccount *account, const SbQuery *query, SbRequest *req);
extern void sb_control_get_count(SbAccount *account, const SbQuery *query, SbRequest *req);

#endif							/* SB_CONTROL_H */
