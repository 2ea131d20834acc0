/*-------------------------------------------------------------------------
 *
 * phone_load.h
 *		Loading the library for phone numbers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PHONE_LOAD_H
#define DNC_PHONE_LOAD_H

#include "match/phone_library.h"

extern bool dnc_phone_load_possible(void);
extern const DncPhoneLibrary *dnc_phone_load(void);

#endif							/* DNC_PHONE_LOAD_H */
