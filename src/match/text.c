/*-------------------------------------------------------------------------
 *
 * text.c
 *		Texts of identifiers: white space, invisible characters, case, digits.
 *
 * All texts are valid UTF-8, and all results are palloc'd.  Nothing here depends on a
 * locale, so we do not use isspace() and tolower(): we would not find a key that depends
 * on a locale again after the database has moved.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "common/unicode_norm.h"
#include "mb/pg_wchar.h"

#include "match/text.h"
#include "match/unicode_table.h"

const char *const dnc_text_quotes[] = {
	"'", "`", "\xc2\xb4", "\xe2\x80\x98", "\xe2\x80\x99", "\xe2\x80\x9a", "\xe2\x80\x9c", "\xe2\x80\x9d",
	"\xe2\x80\x9e", "\xc2\xab", "\xc2\xbb", "\xe2\x80\xb9", "\xe2\x80\xba", "\xe3\x80\x8c", "\xe3\x80\x8d",
	"\xe3\x80\x8e", "\xe3\x80\x8f", NULL
};

/* Is a code point in one of the sorted ranges? */
static bool
in_ranges(uint32 code, const DncRange *ranges, int count)
{
	int			low = 0;

	while (low < count)
	{
		int			middle = low + (count - low) / 2;

		if (code > ranges[middle].last)
			low = middle + 1;
		else if (code >= ranges[middle].first)
			return true;
		else
			count = middle;
	}
	return false;
}

/* Is a code point white space (Unicode: White_Space)? */
static bool
is_space(uint32 code)
{
	if (code < 0x80)
		return dnc_is_blank((char) code);
	return in_ranges(code, dnc_unicode_space, lengthof(dnc_unicode_space));
}

/* Is a code point invisible, but not white space? */
static bool
is_invisible(uint32 code)
{
	if (code < 0x80)
		return (code < 0x20 || code == 0x7F) && !dnc_is_blank((char) code);
	return in_ranges(code, dnc_unicode_invisible, lengthof(dnc_unicode_invisible));
}

/* The code point at *text, which moves behind it. */
static uint32
next_code(const char **text)
{
	const unsigned char *start = (const unsigned char *) *text;

	if (*start < 0x80)
	{
		*text += 1;
		return *start;
	}
	*text += pg_utf_mblen(start);
	return utf8_to_unicode(start);
}

/* Write a code point as UTF-8; returns the place behind it. */
static char *
put_code(char *to, uint32 code)
{
	unicode_to_utf8(code, (unsigned char *) to);
	return to + pg_utf_mblen((unsigned char *) to);
}

bool
dnc_text_is_ascii(const char *text)
{
	for (; *text; text++)
	{
		if ((unsigned char) *text >= 0x80)
			return false;
	}
	return true;
}

/* Does a text have only visible ASCII characters, as most texts do?  Then we strip nothing. */
static bool
is_plain(const char *text)
{
	for (; *text; text++)
	{
		if (*text <= ' ' || *text > '~')
			return false;
	}
	return true;
}

/* The text without white space and invisible characters at its ends.  Everything between stays. */
char *
dnc_text_trim(const char *text)
{
	const char *begin = NULL;
	const char *end = text;

	if (is_plain(text))
		return pstrdup(text);
	while (*text)
	{
		const char *here = text;
		uint32		code = next_code(&text);

		if (is_space(code) || is_invisible(code))
			continue;
		if (begin == NULL)
			begin = here;
		end = text;
	}
	return begin ? pnstrdup(begin, end - begin) : pstrdup("");
}

/* The text without invisible characters, and without white space at its ends. */
char *
dnc_text_strip(const char *text)
{
	char	   *stripped;
	char	   *to;
	char	   *end;

	if (is_plain(text))
		return pstrdup(text);
	stripped = to = end = palloc(strlen(text) + 1);
	while (*text)
	{
		const char *here = text;
		uint32		code = next_code(&text);
		bool		space = is_space(code);

		if (is_invisible(code) || (space && to == stripped))
			continue;
		memcpy(to, here, text - here);
		to += text - here;
		if (!space)
			end = to;
	}
	*end = '\0';
	return stripped;
}

/* The text in normalisation form KC. */
static char *
normalize(const char *text)
{
	pg_wchar   *codes = palloc((strlen(text) + 1) * sizeof(pg_wchar));
	pg_wchar   *normal;
	char	   *result;
	char	   *to;
	int			count = 0;

	while (*text)
		codes[count++] = next_code(&text);
	codes[count] = 0;
	normal = unicode_normalize(UNICODE_NFKC, codes);
	for (count = 0; normal[count]; count++)
		;
	to = result = palloc(count * MAX_UNICODE_EQUIVALENT_STRING + 1);
	for (int i = 0; i < count; i++)
		to = put_code(to, normal[i]);
	*to = '\0';
	return result;
}

/*
 * An identifier in the form that we compare: without invisible characters, in normalisation
 * form KC (which turns fullwidth letters and digits into the usual ones), trimmed.  We do not
 * normalise a text of more than DNC_TEXT_MAX bytes.
 */
char *
dnc_text_clean(const char *text)
{
	char	   *clean = dnc_text_strip(text);

	if (dnc_text_is_ascii(clean) || strlen(clean) > DNC_TEXT_MAX)
		return clean;
	/* A compatibility decomposition can begin with a space. */
	return dnc_text_strip(normalize(clean));
}

/* A code point's simple lower case. */
static uint32
lower_code(uint32 code)
{
	int			low = 0;
	int			count = lengthof(dnc_unicode_lower);

	while (low < count)
	{
		int			middle = low + (count - low) / 2;
		const DncLowerRun *run = &dnc_unicode_lower[middle];

		if (code > run->last)
			low = middle + 1;
		else if (code >= run->first)
			return (code - run->first) % run->step == 0 ? code + run->delta : code;
		else
			count = middle;
	}
	return code;
}

/* The text in lower case, by Unicode's simple mapping. */
char *
dnc_text_lower(const char *text)
{
	char	   *lower;
	char	   *to;

	/* A few letters take more bytes in lower case, but at most one byte more. */
	to = lower = palloc(strlen(text) * 2 + 1);
	while (*text)
	{
		if ((unsigned char) *text < 0x80)
		{
			*to++ = *text >= 'A' && *text <= 'Z' ? *text + ('a' - 'A') : *text;
			text++;
		}
		else
			to = put_code(to, lower_code(next_code(&text)));
	}
	*to = '\0';
	return lower;
}

/* The value of a hexadecimal digit; -1: not a digit. */
static int
hex_value(char c)
{
	if (dnc_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*
 * The first length bytes of the text, with percent-encoded bytes decoded (RFC 3986 2.1), again
 * and again until nothing is left to decode.  So decoding the result would not change it.
 * NULL: the result is not UTF-8, or has a zero byte.
 */
char *
dnc_text_decode(const char *text, size_t length)
{
	char	   *decoded = pnstrdup(text, length);
	bool		found;

	do
	{
		char	   *to = decoded;

		found = false;
		for (const char *from = decoded; *from; from++)
		{
			int			high = *from == '%' ? hex_value(from[1]) : -1;
			int			low = high >= 0 ? hex_value(from[2]) : -1;

			if (low < 0)
			{
				*to++ = *from;
				continue;
			}
			if (high == 0 && low == 0)
				return NULL;
			*to++ = (char) (high << 4 | low);
			from += 2;
			found = true;
		}
		*to = '\0';
	} while (found);
	length = strlen(decoded);
	return pg_verify_mbstr(PG_UTF8, decoded, length, true) ? decoded : NULL;
}

/* A code point's value as a decimal digit of any script; -1: not a digit. */
static int
digit_value(uint32 code)
{
	int			low = 0;
	int			count = lengthof(dnc_unicode_zero);

	if (code < 0x80)
		return code >= '0' && code <= '9' ? (int) code - '0' : -1;
	while (low < count)
	{
		int			middle = low + (count - low) / 2;

		if (code > dnc_unicode_zero[middle] + 9)
			low = middle + 1;
		else if (code >= dnc_unicode_zero[middle])
			return code - dnc_unicode_zero[middle];
		else
			count = middle;
	}
	return -1;
}

/* The digits of a text, of any script, as ASCII. */
char *
dnc_text_digits(const char *text)
{
	char	   *digits = palloc(strlen(text) + 1);
	char	   *to = digits;

	while (*text)
	{
		int			value = digit_value(next_code(&text));

		if (value >= 0)
			*to++ = '0' + value;
	}
	*to = '\0';
	return digits;
}

/* Join two texts. */
char *
dnc_text_join(const char *first, const char *second)
{
	size_t		length = strlen(first);
	size_t		more = strlen(second);
	char	   *joined = palloc(length + more + 1);

	memcpy(joined, first, length);
	memcpy(joined + length, second, more + 1);
	return joined;
}

/* Is there white space anywhere in the text? */
bool
dnc_text_has_space(const char *text)
{
	while (*text)
	{
		if (is_space(next_code(&text)))
			return true;
	}
	return false;
}

/* The text behind an ASCII prefix, whose case does not matter; NULL: the text does not begin so. */
const char *
dnc_text_past(const char *text, const char *prefix)
{
	for (; *prefix; prefix++, text++)
	{
		if (pg_ascii_tolower((unsigned char) *text) != pg_ascii_tolower((unsigned char) *prefix))
			return NULL;
	}
	return text;
}

/* Does the text end like this?  The ending is ASCII, and its case does not matter. */
bool
dnc_text_ends(const char *text, const char *ending)
{
	size_t		length = strlen(text);
	size_t		end = strlen(ending);

	return length >= end && dnc_text_past(text + length - end, ending) != NULL;
}

/* SHA-256 of a text, in hexadecimal. */
char *
dnc_text_hash(const char *text)
{
	static const char hex[] = "0123456789abcdef";
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char	   *result = palloc(2 * sizeof(digest) + 1);
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	bool		made;

	made = pg_cryptohash_init(context) == 0 &&
		pg_cryptohash_update(context, (const uint8 *) text, strlen(text)) == 0 &&
		pg_cryptohash_final(context, digest, sizeof(digest)) == 0;
	pg_cryptohash_free(context);
	if (!made)
		elog(ERROR, "could not compute a SHA-256 hash");
	for (size_t i = 0; i < sizeof(digest); i++)
	{
		result[2 * i] = hex[digest[i] >> 4];
		result[2 * i + 1] = hex[digest[i] & 15];
	}
	result[2 * sizeof(digest)] = '\0';
	return result;
}

/* The Unicode version of the table. */
const char *
dnc_text_unicode_version(void)
{
	return DNC_UNICODE_VERSION;
}
