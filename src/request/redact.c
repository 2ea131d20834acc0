/*-------------------------------------------------------------------------
 *
 * redact.c
 *		Secrets and invisible characters in the remote's words.
 *
 * A vendor's message may repeat the token that we have sent, and perhaps in another
 * form: percent-encoded, in other case, in base64 as in HTTP's Basic scheme, in
 * hexadecimal digits, or only in part.  So we look for each of these forms, and blot out
 * any text that has a long run of characters in common with one of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "request/redact.h"

/*
 * The shortest run that we blot out: half of the form, but at least 8 and at most 32
 * characters.  A vendor may show the first or last few characters of a key to say which key it
 * means; that helps the reader.
 */
#define SHORTEST_PART	8
#define LONGEST_NEEDED	32

/* A character of the text in the form that we compare, and the place of its bytes. */
typedef struct Seen
{
	char		character;
	uint8		length;
	int			start;
} Seen;

/*
 * Code points that we do not show: controls, line and paragraph separators, and Unicode's
 * category Cf (format), as of Unicode 16.0.  Cf holds the bidirectional controls, which can
 * make a text look like another text.
 */
static const struct
{
	pg_wchar	first;
	pg_wchar	last;
}			invisible[] =
{
	{0x0000, 0x001f}, {0x007f, 0x009f}, {0x00ad, 0x00ad}, {0x0600, 0x0605}, {0x061c, 0x061c},
	{0x06dd, 0x06dd}, {0x070f, 0x070f}, {0x0890, 0x0891}, {0x08e2, 0x08e2}, {0x180e, 0x180e},
	{0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
	{0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3},
	{0x1d173, 0x1d17a}, {0xe0000, 0xe007f},
};

/*
 * May a terminal or a log reader take this character for a command or for the end of a line, or
 * not see it at all?
 */
bool
dnc_redact_is_invisible(pg_wchar character)
{
	for (size_t i = 0; i < lengthof(invisible); i++)
	{
		if (character >= invisible[i].first && character <= invisible[i].last)
			return true;
	}
	return false;
}

/* The length of a UTF-8 character; 1 for a byte that begins no character. */
int
dnc_redact_character_length(const char *utf8)
{
	int			length = pg_utf_mblen((const unsigned char *) utf8);

	if (strnlen(utf8, length) < (size_t) length ||
		!pg_utf8_islegal((const unsigned char *) utf8, length))
		return 1;
	return length;
}

/* A character in the form that we compare: without case, and in one of base64's two alphabets. */
static char
fold(char character)
{
	if (character >= 'A' && character <= 'Z')
		return character + ('a' - 'A');
	return character == '-' ? '+' : character == '_' ? '/' : character;
}

/* The value of a hexadecimal digit; -1: not a digit. */
static int
hex_value(char digit)
{
	char		folded = fold(digit);

	if (folded >= '0' && folded <= '9')
		return folded - '0';
	return folded >= 'a' && folded <= 'f' ? folded - 'a' + 10 : -1;
}

/*
 * The first character of a text, percent-decoded (RFC 3986 2.1) as often as it was encoded;
 * *length is the number of bytes that stand for it.
 */
static char
decode_percent(const char *text, int *length)
{
	char		character = *text;

	*length = 1;
	while (character == '%' && hex_value(text[*length]) >= 0 && hex_value(text[*length + 1]) >= 0)
	{
		character = (char) (hex_value(text[*length]) * 16 + hex_value(text[*length + 1]));
		*length += 2;
		if (*length > 30)
			break;
	}
	return character;
}

/* The visible characters of a text, in the form that we compare; palloc'd, *count of them. */
static Seen *
look_at(const char *utf8, int *count)
{
	Seen	   *seen = palloc(sizeof(Seen) * (strlen(utf8) + 1));
	int			length;

	*count = 0;
	for (const char *c = utf8; *c; c += length)
	{
		Seen	   *next = &seen[*count];

		length = dnc_redact_character_length(c);
		if ((length > 1 || !IS_HIGHBIT_SET(*c)) &&
			dnc_redact_is_invisible(utf8_to_unicode((const unsigned char *) c)))
			continue;
		next->character = length > 1 ? *c : fold(decode_percent(c, &length));
		next->start = (int) (c - utf8);
		next->length = (uint8) length;
		(*count)++;
	}
	return seen;
}

/* Put asterisks over the runs that a text has in common with one form of a secret. */
static void
blot_out(char *utf8, const Seen *seen, int count, const char *form)
{
	int			length = (int) strlen(form);
	int			needed = Min(Min(Max((length + 1) / 2, SHORTEST_PART), LONGEST_NEEDED), length);
	int		   *runs = palloc0(sizeof(int) * (length + 1));

	for (int i = 0; i < count && length > 0; i++)
	{
		int			longest = 0;

		/* runs[j]: how many characters up to seen[i] equal the characters up to form[j - 1]. */
		for (int j = length; j > 0; j--)
		{
			runs[j] = seen[i].character == fold(form[j - 1]) ? runs[j - 1] + 1 : 0;
			longest = Max(longest, runs[j]);
		}
		if (longest < needed)
			continue;
		/* When the run reached "needed", we blotted out all of it; now only its new end is left. */
		for (int j = longest == needed ? i - needed + 1 : i; j <= i; j++)
			memset(utf8 + seen[j].start, '*', seen[j].length);
	}
	pfree(runs);
}

/*
 * The base64 form (RFC 4648 4) that a secret has within a longer text, palloc'd.  The first
 * whole group of six bits begins at bit 0, 2 or 4, depending on the text in front of the
 * secret.
 */
static char *
base64_form(const char *secret, size_t first_bit)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t		bits = strlen(secret) * 8;
	char	   *form = palloc(bits / 6 + 1);
	char	   *end = form;

	for (size_t bit = first_bit; bit + 6 <= bits; bit += 6)
	{
		unsigned int pair = (unsigned char) secret[bit / 8] << 8 | (unsigned char) secret[bit / 8 + 1];

		*end++ = alphabet[pair >> (10 - bit % 8) & 0x3f];
	}
	*end = '\0';
	return form;
}

/* A secret in hexadecimal digits; palloc'd. */
static char *
hex_form(const char *secret)
{
	char	   *form = palloc(strlen(secret) * 2 + 1);
	char	   *end = form;

	for (const char *c = secret; *c; c++)
		end += sprintf(end, "%02x", (unsigned char) *c);
	*end = '\0';
	return form;
}

/*
 * Put asterisks over each occurrence of a secret in a UTF-8 text, in place: the secret as it
 * is, in other case, percent-encoded, in base64 or hexadecimal digits, whole or in large part.
 * The secret may be NULL.  The time is proportional to the product of both lengths.
 */
void
dnc_redact_secret(char *utf8, const char *secret)
{
	Seen	   *seen;
	int			count;

	if (secret == NULL)
		return;
	seen = look_at(utf8, &count);
	blot_out(utf8, seen, count, secret);
	/* The other forms of a short secret would match in any text. */
	if (strlen(secret) >= SHORTEST_PART)
	{
		for (size_t bit = 0; bit <= 4; bit += 2)
			blot_out(utf8, seen, count, base64_form(secret, bit));
		blot_out(utf8, seen, count, hex_form(secret));
	}
}
