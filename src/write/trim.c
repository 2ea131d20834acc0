/*-------------------------------------------------------------------------
 *
 * trim.c
 *		Identifiers without blanks and invisible characters around them.
 *
 * A vendor lists "bob@example.com " as it was given.  No call and no email is ever
 * compared with that text, so such an entry protects nobody.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "write/trim.h"

typedef struct Range
{
	uint32		first;
	uint32		last;
} Range;

/*
 * The code points that are taken off, in order: Unicode 14.0, White_Space, and the general
 * categories Cc and Cf.
 */
static const Range blank[] = {
	{0x0001, 0x0020}, {0x007F, 0x00A0}, {0x00AD, 0x00AD}, {0x0600, 0x0605}, {0x061C, 0x061C},
	{0x06DD, 0x06DD}, {0x070F, 0x070F}, {0x0890, 0x0891}, {0x08E2, 0x08E2}, {0x1680, 0x1680},
	{0x180E, 0x180E}, {0x2000, 0x200F}, {0x2028, 0x202F}, {0x205F, 0x2064}, {0x2066, 0x206F},
	{0x3000, 0x3000}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0x110BD, 0x110BD},
	{0x110CD, 0x110CD}, {0x13430, 0x13438}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
	{0xE0001, 0xE0001}, {0xE0020, 0xE007F},
};

/* Does a code point show as nothing? */
static bool
is_blank(uint32 code)
{
	for (size_t i = 0; i < lengthof(blank) && blank[i].first <= code; i++)
	{
		if (code <= blank[i].last)
			return true;
	}
	return false;
}

/*
 * A text, in the database's encoding, without what shows as nothing at its ends.  The text
 * itself if there is no such thing, else palloc'd.  Raises 22021 where it is not text.
 */
const char *
dnc_trim(const char *text)
{
	const char *utf8 = pg_server_to_any(text, strlen(text), PG_UTF8);
	const char *begin = NULL;
	const char *end = utf8;
	const char *here = utf8;
	char	   *trimmed;

	while (*here)
	{
		const char *next = here + pg_utf_mblen((const unsigned char *) here);

		if (!is_blank(utf8_to_unicode((const unsigned char *) here)))
		{
			begin = begin ? begin : here;
			end = next;
		}
		here = next;
	}
	begin = begin ? begin : utf8;
	if (begin == utf8 && end == here)
		return text;
	trimmed = pnstrdup(begin, end - begin);
	return pg_any_to_server(trimmed, strlen(trimmed), PG_UTF8);
}
