/*-------------------------------------------------------------------------
 *
 * phone_widen.h
 *		The other keys and the spellings of a number.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PHONE_WIDEN_H
#define DNC_PHONE_WIDEN_H

#include "match/key_set.h"
#include "match/phone.h"

extern void dnc_phone_widen(DncPhone *phone, const char *country, DncKeySet *set);
extern void dnc_phone_widen_spellings(DncPhone *phone, DncKeySet *set);

#endif							/* DNC_PHONE_WIDEN_H */
