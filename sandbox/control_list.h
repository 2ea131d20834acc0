/*
 * control_list.h
 *		The control endpoints that fill an account's list and show it.
 */
#ifndef SB_CONTROL_LIST_H
#define SB_CONTROL_LIST_H

#include "account.h"

extern void sb_control_fill(SbAccount *account, const SbQuery *query, SbRequest *req);
extern void sb_control_put_entries(SbAccount *account, const SbQuery *query, SbRequest *req);
extern void sb_control_get_entries(SbAccount *account, const SbQuery *query, SbRequest *req);
extern void sb_control_get_count(SbAccount *account, const SbQuery *query, SbRequest *req);

#endif							/* SB_CONTROL_LIST_H */
