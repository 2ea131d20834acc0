/*-------------------------------------------------------------------------
 *
 * country.c
 *		The countries of numbers in national form.
 *
 * This file has its own list, so we can check a country before we see any number, and
 * without the library for numbers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "match/country.h"
#include "match/text.h"

/*
 * ISO 3166-1 alpha-2, a row for each first letter; and AC, TA (reserved) and XK (in use
 * for Kosovo), which have numbers of their own.
 */
static const char *const second_letters[] = {
	"CDEFGILMOQRSTUWXZ",	/* A */
	"ABDEFGHIJLMNOQRSTVWYZ",	/* B */
	"ACDFGHIKLMNORUVWXYZ",	/* C */
	"EJKMOZ",	/* D */
	"CEGHRST",	/* E */
	"IJKMOR",	/* F */
	"ABDEFGHILMNPQRSTUWY",	/* G */
	"KMNRTU",	/* H */
	"DELMNOQRST",	/* I */
	"EMOP",	/* J */
	"EGHIMNPRWYZ",	/* K */
	"ABCIKRSTUVY",	/* L */
	"ACDEFGHKLMNOPQRSTUVWXYZ",	/* M */
	"ACEFGILOPRUZ",	/* N */
	"M",	/* O */
	"AEFGHKLMNRSTWY",	/* P */
	"A",	/* Q */
	"EOSUW",	/* R */
	"ABCDEGHIJKLMNORSTVXYZ",	/* S */
	"ACDFGHJKLMNORTVWZ",	/* T */
	"AGMSYZ",	/* U */
	"ACEGINU",	/* V */
	"FS",	/* W */
	"K",	/* X */
	"ET",	/* Y */
	"AMW",	/* Z */
};

/*
 * Read the two letters of a country, in either case, into country, which has space for three
 * bytes.  False: there is no such country.
 */
bool
dnc_country_read(const char *text, char *country)
{
	if (!dnc_is_letter(text[0]) || !dnc_is_letter(text[1]) || text[2] != '\0')
		return false;
	country[0] = pg_ascii_toupper((unsigned char) text[0]);
	country[1] = pg_ascii_toupper((unsigned char) text[1]);
	country[2] = '\0';
	return strchr(second_letters[country[0] - 'A'], country[1]) != NULL;
}
