/*-------------------------------------------------------------------------
 *
 * phone.c
 *		The number that a text means, if we can tell.
 *
 * libphonenumber reads the text.  It takes any possible number for the right one.  That
 * is fine for a dialler, but wrong for us: a second number in the same text, a word
 * behind the number or a missing area code give another number, and that number is not
 * on the list.  So we check libphonenumber's reading.  If the text may mean something
 * else, we say that we cannot tell the number.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "match/phone.h"
#include "match/phone_load.h"
#include "match/phone_text.h"
#include "match/text.h"

/* The region for numbers without a country: libphonenumber has no region of this name. */
#define NO_REGION "ZZ"

/* An extension with more digits may be another number. */
#define EXTENSION_MAX 5

/* We find a number in its text again by this many digits at its end. */
#define TAIL 6

/* Fewer digits than this are not a number without the letters beside them: 0800 REIMANN. */
#define VANITY_MAX 5

/* ----- the library, with its errors as ours ----- */

static void
check_status(DncPhoneStatus status, const DncPhoneError *error)
{
	if (status == DNC_PHONE_NO_MEMORY)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (status == DNC_PHONE_BROKEN)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("libphonenumber failed"),
				 errdetail_internal("%s", error->text)));
}

/*
 * Copy a text into squeezed if it holds only digits, blanks, hyphens, dots, parentheses and a
 * leading +; only the + and the digits are kept.  libphonenumber reads the same number in less
 * time, because its expressions scan each character several times.  False: the text holds
 * something else, or fewer than three digits: libphonenumber reads 12, but not 1-2.
 */
static bool
squeeze(const char *text, char *squeezed)
{
	int			digits = 0;

	if (*text == '+')
		*squeezed++ = *text++;
	for (; *text; text++)
	{
		if (dnc_is_digit(*text))
		{
			*squeezed++ = *text;
			digits++;
		}
		else if (strchr(" -.()", *text) == NULL)
			return false;
	}
	*squeezed = '\0';
	return digits > 2;
}

/* Read a text as a number; false: it is none. */
static bool
read_text(const char *text, const char *region, DncPhoneNumber *number)
{
	char		squeezed[DNC_PHONE_MAX + 1];
	DncPhoneError error;
	DncPhoneStatus status;

	if (strlen(text) > DNC_PHONE_MAX)
		return false;
	if (squeeze(text, squeezed))
		text = squeezed;
	status = dnc_phone_load()->read(text, region ? region : NO_REGION, number, &error);
	check_status(status, &error);
	return status == DNC_PHONE_READ;
}

/*
 * Remove the prefixes that were dialled in front of Mexican numbers until 2019: 01 for other
 * towns, 044 and 045 for mobiles, 1 for mobiles from abroad.  Newer versions of libphonenumber
 * no longer know them.  digits is a national number of Mexico; ten of its digits are
 * significant (national numbering plan of 2019).  True: there was such a prefix.
 */
static bool
strip_mexican_prefix(char *digits)
{
	static const char *const prefixes[] = {"1", "11", "44", "45", "441", "451"};
	const char *significant = dnc_phone_without_zeros(digits);
	size_t		length = strlen(significant);

	for (int i = 0; i < (int) lengthof(prefixes); i++)
	{
		size_t		prefix = strlen(prefixes[i]);

		if (length == prefix + 10 && strncmp(significant, prefixes[i], prefix) == 0)
		{
			memmove(digits, significant + prefix, 10 + 1);
			return true;
		}
	}
	return false;
}

/*
 * Read a text as a number that stays the same when it is read again; false: it is no number.
 * Each time that libphonenumber reads +43 0061, it removes one zero; older versions also remove
 * the 1 of Mexican mobiles.
 */
static bool
read_number(const char *text, const char *region, DncPhoneNumber *number)
{
	DncPhoneNumber again;

	if (!read_text(text, region, number))
		return false;
	for (int i = 0; i < DNC_PHONE_DIGITS && (number->national[0] == '0' || number->country_code == 52); i++)
	{
		bool		changed = number->country_code == 52 && strip_mexican_prefix(number->national);

		if (!read_text(dnc_phone_e164(number), NULL, &again))
			return false;
		changed |= strcmp(again.national, number->national) != 0;
		strcpy(number->national, again.national);
		number->possible = again.possible;
		if (!changed)
			break;
	}
	return true;
}

/* Read a text as a number; false: it is no possible number. */
bool
dnc_phone_read_possible(const char *text, const char *region, DncPhoneNumber *number)
{
	return read_number(text, region, number) && number->possible;
}

static bool
is_valid(const DncPhoneNumber *number)
{
	DncPhoneError error;
	int			valid = 0;

	check_status(dnc_phone_load()->is_valid(number, &valid, &error), &error);
	return valid != 0;
}

/* The dialling plan of the number's country. */
DncPhonePlan
dnc_phone_plan(const DncPhoneNumber *number)
{
	DncPhoneError error;
	DncPhonePlan plan;

	check_status(dnc_phone_load()->plan(number, &plan, &error), &error);
	return plan;
}

/* The usual ways to write the number. */
DncPhoneForms
dnc_phone_forms(const DncPhoneNumber *number)
{
	DncPhoneError error;
	DncPhoneForms forms;

	check_status(dnc_phone_load()->forms(number, &forms, &error), &error);
	return forms;
}

/* ----- numbers ----- */

/* Digits without the zeros in front of them. */
const char *
dnc_phone_without_zeros(const char *digits)
{
	return digits + strspn(digits, "0");
}

/* A number with its country code, as digits. */
char *
dnc_phone_all_digits(const DncPhoneNumber *number)
{
	char		digits[DNC_PHONE_DIGITS + 16];

	snprintf(digits, sizeof(digits), "%d%s", number->country_code, number->national);
	return pstrdup(digits);
}

/* A number with its country code: +4930901820 (ITU-T E.164). */
char *
dnc_phone_e164(const DncPhoneNumber *number)
{
	return dnc_text_join("+", dnc_phone_all_digits(number));
}

/* ----- reading ----- */

/* Has libphonenumber read the text up to its end? */
static bool
ends_as_read(const char *digits, const DncPhoneNumber *number)
{
	size_t		length = strlen(number->national);

	return dnc_text_ends(digits, dnc_text_join(number->national + length - Min(length, TAIL),
											   number->extension));
}

/*
 * Does something between the digits of a number, or right behind them, stand for other digits:
 * 030 9O1820, 030 9018xx, 030 9018**?  digits are all digits of the text.
 */
static bool
is_masked(const char *written, const char *digits, const DncPhoneNumber *number)
{
	size_t		left = strlen(digits) - strlen(number->extension);
	const char *c = written + strcspn(written, "0123456789");

	if (strchr(c, '*'))
		return true;
	for (; *c && left > 0; c++)
	{
		if (dnc_is_letter(*c))
			return true;
		left -= dnc_is_digit(*c);
	}
	return dnc_is_letter(*c) && *number->extension == '\0';
}

/*
 * May this be two numbers with a blank between them?  Some countries allow numbers of this
 * length, but hardly any telephone has one.
 */
static bool
may_be_two(const DncPhoneNumber *number)
{
	size_t		length = strlen(number->national);

	return length > 12 || (length == 12 && !is_valid(number));
}

/*
 * May a number in national form lack its area code?  If a country dials a trunk prefix in front
 * of area codes, a number without that prefix may be a local one.
 */
static bool
may_be_local(const char *digits, const DncPhoneNumber *number)
{
	size_t		length = strlen(number->national);

	return strncmp(digits, number->national, length) == 0 &&
		strcmp(digits + length, number->extension) == 0 &&
		dnc_phone_plan(number).trunk[0] == '0' && !is_valid(number);
}

/*
 * May a number begin with the exit code of another country, with a calling code behind it that
 * we have not recognized?  Exit codes are 00 (ITU-T E.123), 011, 010 and 810.  In Brazil, 0055
 * is an exit code, and also 00 with Brazil's own calling code.
 */
static bool
may_be_exit_code(const char *digits, const DncPhoneNumber *number)
{
	DncPhoneNumber other;
	char	   *all = dnc_phone_all_digits(number);

	if (strncmp(digits, "00", 2) == 0)
		return !dnc_text_ends(digits, dnc_text_join(all, number->extension)) ||
			(dnc_phone_read_possible(dnc_text_join("+", dnc_phone_without_zeros(digits)), NULL, &other) &&
			 strcmp(all, dnc_phone_all_digits(&other)) != 0);
	return (strncmp(digits, "011", 3) == 0 || strncmp(digits, "010", 3) == 0 ||
			strncmp(digits, "810", 3) == 0) &&
		!dnc_text_ends(digits, dnc_text_join(all, number->extension)) && !is_valid(number);
}

static void
add_reading(DncPhone *phone, const DncPhoneNumber *number)
{
	if (phone->nreadings < DNC_PHONE_READINGS)
		phone->readings[phone->nreadings++] = *number;
}

/*
 * Read a text as a number of a region.  True: no other number can be meant.  In any case, we
 * add the possible numbers to the readings.
 */
static bool
read_as(const char *text, const char *written, bool plus, const char *region, DncPhone *phone)
{
	DncPhoneNumber number;
	DncPhoneNumber other;
	char	   *digits = dnc_text_digits(written);

	if (!dnc_phone_read_possible(text, region, &number))
		return false;
	add_reading(phone, &number);
	if (strlen(number.extension) > EXTENSION_MAX || may_be_two(&number))
		return false;
	if (ends_as_read(digits, &number))
		return !is_masked(written, digits, &number) &&
			(plus || !(may_be_local(digits, &number) || may_be_exit_code(digits, &number)));
	if (!dnc_phone_text_has_letters(written) ||
		!ends_as_read(dnc_phone_text_keypad(written), &number) || !is_valid(&number))
		return false;
	/* Letters were read as digits, but may have been words beside a number. */
	if (strlen(digits) < VANITY_MAX ||
		!dnc_phone_read_possible(plus ? dnc_text_join("+", digits) : digits, region, &other))
		return true;
	add_reading(phone, &other);
	return false;
}

/* The text of a number that has its country code, with a leading +. */
static char *
international_text(const char *text)
{
	return dnc_text_join("+", text + strspn(text, "+ "));
}

/*
 * Read a cleaned text as a number.  country is the country of numbers in national form, two
 * letters in upper case, or NULL.  international: numbers have their country code, even without
 * +.
 */
void
dnc_phone_read(const char *clean, const char *country, bool international, DncPhone *phone)
{
	DncPhoneText subject = dnc_phone_text_find(clean);

	memset(phone, 0, sizeof(*phone));
	phone->written = subject.written;
	phone->plus = subject.plus;
	if (strlen(subject.text) > DNC_PHONE_MAX)
		return;
	if (!subject.plus && (international || subject.international))
		phone->certain = read_as(international_text(subject.text), subject.written, true, NULL, phone);
	if (!phone->certain && !subject.international)
	{
		/* Only the first reading can be certain. */
		DncPhone	before = *phone;

		phone->nreadings = 0;
		phone->certain = read_as(subject.text, subject.written, subject.plus, country, phone);
		for (int i = 0; i < before.nreadings; i++)
			add_reading(phone, &before.readings[i]);
	}
	if (subject.local)
		phone->certain = false;
}

/* The digits in the text, without those of an extension. */
char *
dnc_phone_digits(const DncPhone *phone)
{
	char	   *digits = dnc_text_digits(phone->written);
	DncPhoneNumber number;

	if (!dnc_phone_text_has_letters(phone->written) && strpbrk(phone->written, ";,#~") == NULL)
		return digits;
	if (dnc_phone_text_has_letters(phone->written) && strlen(digits) < VANITY_MAX)
		return dnc_phone_text_keypad(phone->written);
	/* Germany's plan has numbers of many lengths, so it shows which digits are an extension. */
	if (read_number(phone->written, "DE", &number) && *number.extension &&
		strlen(number.extension) <= EXTENSION_MAX && dnc_text_ends(digits, number.extension))
		digits[strlen(digits) - strlen(number.extension)] = '\0';
	return digits;
}

/* Add the readings of a text without + as a number that has its country code. */
void
dnc_phone_read_on(DncPhone *phone)
{
	DncPhoneNumber number;

	if (phone->plus && phone->certain)
		return;
	if (dnc_phone_read_possible(dnc_text_join("+", dnc_phone_without_zeros(dnc_phone_digits(phone))), NULL, &number))
		add_reading(phone, &number);
	/* Letters may be digits here, too. */
	if (dnc_phone_text_has_letters(phone->written) && dnc_phone_read_possible(international_text(phone->written), NULL, &number))
		add_reading(phone, &number);
}

/* The key of a number; NULL: we cannot tell the number. */
char *
dnc_phone_key(const DncPhone *phone)
{
	return phone->certain ? dnc_text_join("tel:", dnc_phone_e164(&phone->readings[0])) : NULL;
}

/* The wide key of a number that we cannot tell; NULL: it has no digits. */
char *
dnc_phone_wide_key(const DncPhone *phone)
{
	const char *significant = dnc_phone_without_zeros(dnc_phone_digits(phone));

	return *significant ? dnc_text_join("tel:?", significant) : NULL;
}
