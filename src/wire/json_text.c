/*-------------------------------------------------------------------------
 *
 * json_text.c
 *		JSON texts without a tree: checked, and cut into values.
 *
 * cJSON accepts more than JSON (control characters, numbers such as 01), uses 80 bytes
 * for a value of two bytes, and does not say where in the text a value stood.  So we
 * check a text here before cJSON gets it.  After a text has passed both, we can walk
 * through it here with no further checks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "port/pg_bitutils.h"

#include "wire/json_text.h"

/* The same limit as in cJSON, which uses a stack frame for each level. */
#define MAX_DEPTH 1000

/* A page has some ten thousand values at most; 250000 values are a tree of 20 MB. */
#define MAX_VALUES 250000

/* A position in a text, and the problem found so far. */
typedef struct Cursor
{
	const char *at;
	const char *end;			/* points to the NUL behind the text */
	const char *problem;		/* a sentence; NULL: nothing so far */
} Cursor;

static const char *const not_json = "The body is not JSON.";

/* The value of four hexadecimal digits; -1: they are not. */
static int
hex_value(const char *digits)
{
	int			value = 0;

	for (int i = 0; i < 4; i++)
	{
		char		c = digits[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			value = value * 16 + ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return value;
}

/*
 * The character for an escape \uXXXX or for a surrogate pair of two escapes, and the length of
 * the escapes in bytes; 0: there is no such character (RFC 8259 7), or it is U+0000.
 */
static pg_wchar
escaped_character(const char *escape, int *length)
{
	int			first = hex_value(escape + 2);
	int			second;

	*length = 6;
	if (first < 0 || is_utf16_surrogate_second(first))
		return 0;
	if (!is_utf16_surrogate_first(first))
		return first;
	if (escape[6] != '\\' || escape[7] != 'u')
		return 0;
	second = hex_value(escape + 8);
	if (second < 0 || !is_utf16_surrogate_second(second))
		return 0;
	*length = 12;
	return surrogate_pair_to_codepoint(first, second);
}

/* Check an escape in a string, and step over it. */
static void
check_escape(Cursor *cursor)
{
	int			length = 2;

	if (cursor->at[1] == 'u' && escaped_character(cursor->at, &length) == 0)
	{
		int			value = hex_value(cursor->at + 2);

		if (value < 0)
			cursor->problem = not_json;
		else
			cursor->problem = value == 0
				? "The body holds \\u0000, which PostgreSQL cannot store."
				: "The body is not JSON: it holds one half of a surrogate pair.";
	}
	cursor->at += Min(length, cursor->end - cursor->at);
}

#define EACH_BYTE(byte) (UINT64CONST(0x0101010101010101) * (byte))

/*
 * Step over the plain part of a string, eight bytes at a time, up to a quotation mark, a
 * backslash or a byte below a blank.  A byte of a word is below n (up to 128) if its high bit
 * is set in (word - n in each byte) & ~word.  This can give a false alarm, but only in a byte
 * above a true alarm, and we use the lowest one.
 */
static inline void
skip_plain(Cursor *cursor)
{
	while (cursor->end - cursor->at >= 8)
	{
		uint64		word;
		uint64		quote;
		uint64		backslash;
		uint64		special;

		memcpy(&word, cursor->at, 8);
		quote = word ^ EACH_BYTE('"');
		backslash = word ^ EACH_BYTE('\\');
		special = (((word - EACH_BYTE(0x20)) & ~word) |
				   ((quote - EACH_BYTE(1)) & ~quote) |
				   ((backslash - EACH_BYTE(1)) & ~backslash)) & EACH_BYTE(0x80);
		if (special)
		{
#ifndef WORDS_BIGENDIAN
			cursor->at += pg_rightmost_one_pos64(special) / 8;
#endif
			return;
		}
		cursor->at += 8;
	}
}

/* Check a string that begins here with its quotation mark, and step over it. */
static void
check_string(Cursor *cursor)
{
	cursor->at++;
	while (cursor->at < cursor->end && !cursor->problem)
	{
		unsigned char c;

		skip_plain(cursor);
		c = *cursor->at;
		if (c == '\\')
		{
			check_escape(cursor);
			continue;
		}
		if (c < 0x20)
			cursor->problem = "The body is not JSON: a string holds a control character.";
		cursor->at++;
		if (c == '"')
			return;
	}
	if (!cursor->problem)
		cursor->problem = not_json;
}

/* Step over digits; false: there are none. */
static bool
skip_digits(Cursor *cursor)
{
	const char *first = cursor->at;

	while (*cursor->at >= '0' && *cursor->at <= '9')
		cursor->at++;
	return cursor->at > first;
}

/* Check a number (RFC 8259 6), and step over it. */
static void
check_number(Cursor *cursor)
{
	bool		good;

	if (*cursor->at == '-')
		cursor->at++;
	if (*cursor->at == '0')
	{
		cursor->at++;
		good = true;
	}
	else
		good = skip_digits(cursor);
	if (good && *cursor->at == '.')
	{
		cursor->at++;
		good = skip_digits(cursor);
	}
	if (good && (*cursor->at == 'e' || *cursor->at == 'E'))
	{
		cursor->at++;
		if (*cursor->at == '+' || *cursor->at == '-')
			cursor->at++;
		good = skip_digits(cursor);
	}
	if (!good || (*cursor->at && !strchr(",]} \t\r\n", *cursor->at)))
		cursor->problem = not_json;
}

/*
 * Find a problem in a UTF-8 text that cJSON would let pass or could not handle.  The text has a
 * NUL behind its length.  Returns a sentence; NULL: there is no problem.  cJSON checks how the
 * values are put together.  This function fills in *outline on the way.
 */
const char *
dnc_json_text_problem(const char *text, size_t length, DncJsonOutline *outline)
{
	Cursor		cursor = {.at = text, .end = text + length};
	int			depth = 0;
	int			values = 1;

	outline->count = 0;
	while (cursor.at < cursor.end && !cursor.problem)
	{
		unsigned char c = *cursor.at;

		if (c == '"')
		{
			if (depth == 1 && outline->count < (int) lengthof(outline->strings))
				outline->strings[outline->count++] = cursor.at;
			check_string(&cursor);
		}
		else if (c == '-' || (c >= '0' && c <= '9'))
			check_number(&cursor);
		else
		{
			if (c == '[' || c == '{')
				depth++;
			else if (c == ']' || c == '}')
				depth--;
			else if (c < 0x20 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
				cursor.problem = "The body is not JSON: it holds a control character.";
			/* Each value except the first comes after one of these characters. */
			if (c == '[' || c == '{' || c == ',')
				values++;
			if (depth > MAX_DEPTH)
				cursor.problem = "The body is nested deeper than 1000 levels.";
			if (values > MAX_VALUES)
				cursor.problem = "The body holds more than 250000 values.";
			cursor.at++;
		}
	}
	return cursor.problem;
}

/* Step over white space and a character that may follow it (0: none). */
static const char *
skip_blanks(const char *at, char character)
{
	at += strspn(at, " \t\r\n");
	if (character && *at == character)
	{
		at++;
		at += strspn(at, " \t\r\n");
	}
	return at;
}

/* Step over a string. */
static const char *
skip_string(const char *at)
{
	for (at++; *at && *at != '"'; at++)
	{
		if (*at == '\\' && at[1])
			at++;
	}
	return *at ? at + 1 : at;
}

/* Where a value ends. */
static const char *
skip_value(const char *at)
{
	int			depth = 0;

	do
	{
		if (*at == '"')
			at = skip_string(at);
		else if (*at == '[' || *at == '{')
		{
			depth++;
			at++;
		}
		else if (*at == ']' || *at == '}')
		{
			depth--;
			at++;
		}
		else if (strchr(",: \t\r\n", *at))
			at += *at ? 1 : 0;
		else
			at += strcspn(at, ",:]} \t\r\n");
	} while (depth > 0 && *at);
	return at;
}

/* The beginning of a text's value.  From here on, texts are valid JSON. */
const char *
dnc_json_text_begin(const char *text)
{
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;				/* a byte order mark, which cJSON skips too */
	return skip_blanks(text, 0);
}

/* The first element of an array, or the first member (its name) of an object. */
const char *
dnc_json_text_enter(const char *container)
{
	return skip_blanks(container + 1, 0);
}

/* The value of a member; the argument points to its name. */
const char *
dnc_json_text_value(const char *member)
{
	return skip_blanks(skip_string(member), ':');
}

/* The next element or member after a value. */
const char *
dnc_json_text_next(const char *value)
{
	return skip_blanks(skip_value(value), ',');
}

/* The value of the member that begins here, if it has this name; NULL: it does not. */
static const char *
value_of(const char *member, const char *name, size_t length)
{
	if (*member != '"' || strncmp(member + 1, name, length) != 0 || member[1 + length] != '"')
		return NULL;
	member = skip_blanks(member + 1 + length + 1, 0);
	return *member == ':' ? skip_blanks(member, ':') : NULL;
}

/*
 * Find the value at a path such as "next" or "pagination.nextCursor" with a text's outline,
 * before there is a tree; NULL: not found.  The result is only a hint: the text may turn out
 * not to be JSON, or to have the member twice.
 */
const char *
dnc_json_text_find(const DncJsonOutline *outline, const char *path)
{
	size_t		length = strcspn(path, ".");
	const char *value = NULL;

	for (int i = 0; i < outline->count && !value; i++)
		value = value_of(outline->strings[i], path, length);
	while (value && path[length] == '.')
	{
		const char *member = *value == '{' ? dnc_json_text_enter(value) : "";

		path += length + 1;
		length = strcspn(path, ".");
		while ((value = value_of(member, path, length)) == NULL && *member == '"')
			member = dnc_json_text_next(dnc_json_text_value(member));
	}
	return value;
}

/*
 * Copy a value into a text of its own, palloc'd, in UTF-8.  Escaped characters beyond ASCII
 * become the characters themselves, so a conversion to another encoding sees them.
 */
char *
dnc_json_text_copy(const char *value)
{
	const char *end = skip_value(value);
	StringInfoData copy;

	initStringInfo(&copy);
	while (value < end)
	{
		const char *escape = memchr(value, '\\', end - value);
		int			length = 2;
		pg_wchar	character = 0;

		appendBinaryStringInfo(&copy, value, (int) ((escape ? escape : end) - value));
		if (escape == NULL)
			break;
		value = escape;
		if (value[1] == 'u')
			character = escaped_character(value, &length);
		if (character >= 0x80)
		{
			unsigned char utf8[MAX_MULTIBYTE_CHAR_LEN + 1];

			unicode_to_utf8(character, utf8);
			appendBinaryStringInfo(&copy, (char *) utf8, pg_utf_mblen(utf8));
		}
		else
			appendBinaryStringInfo(&copy, value, length);
		value += length;
	}
	return copy.data;
}
