/*-------------------------------------------------------------------------
 *
 * phone.h
 *		Phone numbers in the form that we compare.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PHONE_H
#define DNC_PHONE_H

#include "match/phone_library.h"

#define DNC_PHONE_READINGS 5

typedef struct DncPhone
{
	char	   *written;		/* the text, without the parts around the number */
	bool		plus;			/* there is a + in front */
	bool		certain;		/* the first reading is surely right */
	int			nreadings;
	DncPhoneNumber readings[DNC_PHONE_READINGS];	/* possible numbers that the text may mean */
} DncPhone;

extern void dnc_phone_read(const char *clean, const char *country, bool international,
						   DncPhone *phone);
extern char *dnc_phone_key(const DncPhone *phone);
extern char *dnc_phone_digits(const DncPhone *phone);
extern void dnc_phone_read_on(DncPhone *phone);
extern char *dnc_phone_wide_key(const DncPhone *phone);
extern bool dnc_phone_read_possible(const char *text, const char *region, DncPhoneNumber *number);
extern DncPhonePlan dnc_phone_plan(const DncPhoneNumber *number);
extern DncPhoneForms dnc_phone_forms(const DncPhoneNumber *number);
extern char *dnc_phone_all_digits(const DncPhoneNumber *number);
extern char *dnc_phone_e164(const DncPhoneNumber *number);
extern const char *dnc_phone_without_zeros(const char *digits);

#endif							/* DNC_PHONE_H */
