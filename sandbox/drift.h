/*
 * drift.h
 *		Changes of the list by itself, while somebody reads it.
 */
#ifndef SB_DRIFT_H
#define SB_DRIFT_H

#include "account.h"

extern void sb_drift(SbAccount *account);

#endif							/* SB_DRIFT_H */
