/*-------------------------------------------------------------------------
 *
 * phone_widen.c
 *		The other keys and the spellings of a number.
 *
 * The entry of a list may be written without its country, with the prefixes of another
 * country, or in the form before a plan changed.  Then it has another key.  We know the
 * contact's number, so we can tell the keys of such entries.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "match/phone_widen.h"
#include "match/text.h"

/* Add the number that these digits are in a region, if they are a possible one. */
static void
add_as_read(DncKeySet *set, const char *digits, const char *region)
{
	DncPhoneNumber number;

	if (dnc_phone_read_possible(digits, region, &number))
		dnc_key_set_add_to(set, "tel:", dnc_phone_e164(&number));
}

/*
 * Add the keys of an entry that is written with these digits: the wide key, and the key in a
 * list of international numbers, which reads the digits as such a number.
 */
static void
add_wide(DncKeySet *set, const char *first, const char *second)
{
	const char *digits = dnc_phone_without_zeros(dnc_text_join(first, second));
	int			before = set->count;

	if (*digits)
		dnc_key_set_add_to(set, "tel:?", digits);
	if (set->count > before)
		add_as_read(set, dnc_text_join("+", digits), NULL);
}

/* The digits of a number behind its area code, from +49 30 901820. */
static char *
local_digits(const char *international)
{
	const char *rest = international + strcspn(international, " -");

	if (*rest)
		rest += 1 + strcspn(rest + 1, " -");
	return dnc_text_digits(rest);
}

/* Add the keys that an entry for this number can have. */
static void
add_number(DncKeySet *set, const DncPhoneNumber *number)
{
	/* Exit codes for calls to other countries; 00 goes with the leading zeros. */
	static const char *const exits[] = {"11", "10", "810"};
	DncPhonePlan plan = dnc_phone_plan(number);
	DncPhoneForms forms = dnc_phone_forms(number);
	char	   *all = dnc_phone_all_digits(number);
	char	   *local = local_digits(forms.international);
	DncPhoneNumber other = *number;

	dnc_key_set_add_to(set, "tel:+", all);
	add_wide(set, all, "");
	add_wide(set, number->national, "");
	add_wide(set, dnc_text_digits(forms.national), "");
	add_wide(set, plan.trunk, number->national);
	for (int i = 0; i < (int) lengthof(exits); i++)
		add_wide(set, exits[i], all);
	/* An entry within one town, without area code. */
	if (strlen(local) >= 5)
		add_wide(set, local, "");
	/* Entries with a zero too many, or one too few: +49 030, +39 6. */
	if (strlen(number->national) < DNC_PHONE_DIGITS - 1)
	{
		snprintf(other.national, sizeof(other.national), "0%s", number->national);
		dnc_key_set_add_to(set, "tel:", dnc_phone_e164(&other));
		add_wide(set, dnc_phone_all_digits(&other), "");
	}
	strlcpy(other.national, dnc_phone_without_zeros(number->national), sizeof(other.national));
	dnc_key_set_add_to(set, "tel:", dnc_phone_e164(&other));
	add_wide(set, dnc_phone_all_digits(&other), "");
	if (number->country_code == 52)
	{
		/* Mexico's prefixes until 2019: 01, and 044 and 045 for calls to mobiles */
		add_wide(set, "1", number->national);
		add_wide(set, "44", number->national);
		add_wide(set, "45", number->national);
	}
}

/*
 * The other form of a number with two forms: Brazil's ninth digit of mobiles (since 2016),
 * Argentina's 9 and Mexico's 1 (until 2019) in front of them.  False: there is only one form.
 */
static bool
other_form(const DncPhoneNumber *number, DncPhoneNumber *other)
{
	const char *digits = number->national;
	size_t		length = strlen(digits);
	const char *mark = number->country_code == 54 ? "9" : number->country_code == 52 ? "1" : NULL;

	*other = *number;
	if (number->country_code == 55)
	{
		if (length == 11 && digits[2] == '9')
			memmove(other->national + 2, digits + 3, length - 2);
		else if (length == 10 && digits[2] >= '6')
			snprintf(other->national, sizeof(other->national), "%.2s9%s", digits, digits + 2);
		else
			return false;
		return true;
	}
	if (mark == NULL || length < 10 || length > 11)
		return false;
	if (length == 10)
		snprintf(other->national, sizeof(other->national), "%s%s", mark, digits);
	else if (digits[0] == mark[0])
		memmove(other->national, digits + 1, length);
	else
		return false;
	return true;
}

/*
 * Add the keys of an entry for this number that lost its +, so that it was read as a number in
 * national form.
 */
static void
add_mistaken(DncKeySet *set, const DncPhoneNumber *number, const char *country)
{
	char	   *all = dnc_phone_all_digits(number);

	add_as_read(set, all, dnc_phone_plan(number).region);
	if (country)
	{
		add_as_read(set, all, country);
		add_as_read(set, number->national, country);
	}
}

/* Add the keys of all entries that would block the number. */
void
dnc_phone_widen(DncPhone *phone, const char *country, DncKeySet *set)
{
	char	   *digits;

	dnc_phone_read_on(phone);
	for (int i = 0; i < phone->nreadings; i++)
	{
		DncPhoneNumber other;

		add_number(set, &phone->readings[i]);
		if (other_form(&phone->readings[i], &other))
			add_number(set, &other);
	}
	for (int i = 0; i < phone->nreadings; i++)
		add_mistaken(set, &phone->readings[i], country);
	digits = dnc_phone_digits(phone);
	if (strlen(digits) <= DNC_PHONE_MAX)
		add_wide(set, digits, "");
}

/* Add the usual spellings of a number. */
void
dnc_phone_widen_spellings(DncPhone *phone, DncKeySet *set)
{
	dnc_phone_read_on(phone);
	for (int i = 0; i < phone->nreadings; i++)
	{
		const DncPhoneNumber *number = &phone->readings[i];
		DncPhoneForms forms = dnc_phone_forms(number);
		char	   *all = dnc_phone_all_digits(number);

		dnc_key_set_add_to(set, "+", all);
		dnc_key_set_add(set, all);
		dnc_key_set_add_to(set, "00", all);
		dnc_key_set_add(set, pstrdup(forms.international));
		dnc_key_set_add(set, pstrdup(forms.national));
		dnc_key_set_add(set, dnc_text_digits(forms.national));
		dnc_key_set_add(set, pstrdup(number->national));
		dnc_key_set_add(set, pstrdup(forms.uri));
		if (number->country_code == 1 && strlen(number->national) == 10)
		{
			dnc_key_set_add_to(set, "+1 ", forms.national);
			dnc_key_set_add(set, pstrdup(forms.international + strlen("+1 ")));
			dnc_key_set_add(set, dnc_text_join("1-", forms.international + strlen("+1 ")));
		}
	}
}
