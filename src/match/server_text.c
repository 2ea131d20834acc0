/*-------------------------------------------------------------------------
 *
 * server_text.c
 *		Keys in the database's encoding.
 *
 * We make keys in UTF-8, in any encoding of the database.  A character that the database
 * cannot hold must not raise an error, because that would end a scrub half way.
 * Instead, the key holds the character's code point.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "match/server_text.h"
#include "match/text.h"

/* Room for a character in a key, itself or as its code point (\u20ac, \u01f600); in bytes. */
#define ESCAPE_SIZE 16

/*
 * Convert the start of a text, up to the first character without an equivalent; palloc'd.
 * *converted is set to the number of its bytes that were converted.
 */
char *
dnc_match_convert(const char *given, int length, int from, int to, int *converted)
{
	Oid			function = FindDefaultConversionProc(from, to);
	Size		size = (Size) length * MAX_CONVERSION_GROWTH + 1;
	char	   *result;

	if (!OidIsValid(function))
		elog(ERROR, "no conversion from encoding %d to %d", from, to);
	result = palloc(size);
	*converted = pg_do_encoding_conversion_buf(function, from, to, (unsigned char *) unconstify(char *, given),
											   length, (unsigned char *) result, size, true);
	return result;
}

/* Is a UTF-8 text, unchanged, also valid in the database's encoding? */
static bool
is_of_server(const char *utf8)
{
	return GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII ||
		dnc_text_is_ascii(utf8);
}

/*
 * A UTF-8 key in the database's encoding; palloc'd.  *whole is set to false if the key has code
 * points in place of characters.
 */
char *
dnc_match_to_server(const char *utf8, bool *whole)
{
	int			left = strlen(utf8);
	char	   *all;
	char	   *to;

	*whole = true;
	if (is_of_server(utf8))
		return pstrdup(utf8);
	to = all = palloc((Size) left * ESCAPE_SIZE + 1);
	while (true)
	{
		int			converted;
		char	   *part = dnc_match_convert(utf8, left, PG_UTF8, GetDatabaseEncoding(), &converted);
		int			length = strlen(part);

		memcpy(to, part, length);
		to += length;
		pfree(part);
		utf8 += converted;
		left -= converted;
		if (left == 0)
			break;
		*whole = false;
		to += snprintf(to, ESCAPE_SIZE, "\\u%04x", (unsigned int) utf8_to_unicode((const unsigned char *) utf8));
		length = pg_utf_mblen((const unsigned char *) utf8);
		utf8 += length;
		left -= length;
	}
	*to = '\0';
	return all;
}

/* A function's argument in UTF-8; NULL: UTF-8 lacks one of its characters. */
char *
dnc_match_from_server(const text *argument)
{
	char	   *given = text_to_cstring(argument);
	int			encoding = GetDatabaseEncoding();
	int			length = strlen(given);
	int			converted;

	if (encoding == PG_UTF8 || dnc_text_is_ascii(given))
		return given;
	if (encoding == PG_SQL_ASCII)
		return pg_verify_mbstr(PG_UTF8, given, length, true) ? given : NULL;
	given = dnc_match_convert(given, length, encoding, PG_UTF8, &converted);
	return converted == length ? given : NULL;
}

/* A function's optional argument in UTF-8; "?", which no rule knows, if UTF-8 lacks a character. */
const char *
dnc_match_optional_argument(FunctionCallInfo fcinfo, int number)
{
	char	   *argument;

	if (PG_ARGISNULL(number))
		return NULL;
	argument = dnc_match_from_server(PG_GETARG_TEXT_PP(number));
	return argument ? argument : "?";
}
