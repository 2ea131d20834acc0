/*-------------------------------------------------------------------------
 *
 * account_pin.h
 *		The accounts that this transaction uses.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ACCOUNT_PIN_H
#define DNC_ACCOUNT_PIN_H

#include "config/option.h"

extern void dnc_account_pin(const DncOptions *options, Oid userid);

#endif							/* DNC_ACCOUNT_PIN_H */
