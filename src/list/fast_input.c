/*-------------------------------------------------------------------------
 *
 * fast_input.c
 *		Texts as values of common types, without their input functions.
 *
 * The APIs write uuids and times in one form each, and we read those forms here.  All
 * other texts go to the type's input function, so values and errors are always
 * PostgreSQL's own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "list/fast_input.h"

/* DncFastInput of text. */
static bool
read_text(const char *text, Datum *value)
{
	*value = CStringGetTextDatum(text);
	return true;
}

/*
 * The value of a hexadecimal digit, plus 1; 0: not a digit.  This is a table because the digits
 * of a uuid are random, so a comparison's branches would be unpredictable.
 */
static const uint8 hex_digits[256] = {
	['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8,
	['8'] = 9, ['9'] = 10,
	['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* DncFastInput of uuid: 8-4-4-4-12 digits (RFC 9562 4). */
static bool
read_uuid(const char *text, Datum *value)
{
	pg_uuid_t	uuid;
	const char *c = text;

	for (int i = 0; i < UUID_LEN; i++)
	{
		int			high;
		int			low;

		if (i == 4 || i == 6 || i == 8 || i == 10)
		{
			if (*c++ != '-')
				return false;
		}
		high = hex_digits[(unsigned char) c[0]];
		low = high == 0 ? 0 : hex_digits[(unsigned char) c[1]];
		if (low == 0)
			return false;
		uuid.data[i] = (unsigned char) ((high - 1) << 4 | (low - 1));
		c += 2;
	}
	if (*c != '\0')
		return false;
	*value = UUIDPGetDatum(memcpy(palloc(sizeof(uuid)), &uuid, sizeof(uuid)));
	return true;
}

/* Read a number with this many digits, and move *text behind it; -1: there is no such number. */
static inline int
read_digits(const char **text, int digits)
{
	int			number = 0;

	for (; digits > 0; digits--, (*text)++)
	{
		if (**text < '0' || **text > '9')
			return -1;
		number = number * 10 + (**text - '0');
	}
	return number;
}

/* Step over a character; false: there is another one. */
static inline bool
skip(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

/* Read "2025-01-31" as days since 2000-01-01; false: there is no such day. */
static bool
read_date(const char **text, int *days)
{
	int			year = read_digits(text, 4);
	int			month = year > 0 && skip(text, '-') ? read_digits(text, 2) : -1;
	int			day = month > 0 && skip(text, '-') ? read_digits(text, 2) : -1;

	if (month < 1 || month > MONTHS_PER_YEAR || day < 1 || day > day_tab[isleap(year)][month - 1])
		return false;
	*days = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	return true;
}

/* Read "23:59:59.999999" as microseconds; false: there is no such time. */
static bool
read_time(const char **text, int64 *time)
{
	int			hour = read_digits(text, 2);
	int			minute = hour >= 0 && skip(text, ':') ? read_digits(text, 2) : -1;
	int			second = minute >= 0 && skip(text, ':') ? read_digits(text, 2) : -1;
	int			unit = USECS_PER_SEC;

	if (hour > 23 || minute > 59 || second < 0 || second > 59)
		return false;
	*time = ((int64) hour * MINS_PER_HOUR + minute) * SECS_PER_MINUTE + second;
	*time *= USECS_PER_SEC;
	if (!skip(text, '.'))
		return true;
	if (**text < '0' || **text > '9')
		return false;
	for (; **text >= '0' && **text <= '9'; (*text)++)
	{
		unit /= 10;
		if (unit == 0)
			return false;		/* needs rounding */
		*time += (int64) (**text - '0') * unit;
	}
	return true;
}

/* Read "Z" or "+02:00" as seconds east of UTC; false: neither is there, or it is too far off. */
static bool
read_offset(const char **text, int *offset)
{
	int			sign = **text == '-' ? -1 : 1;
	int			hours;
	int			minutes;

	*offset = 0;
	if (skip(text, 'Z'))
		return true;
	if (!skip(text, '+') && !skip(text, '-'))
		return false;
	hours = read_digits(text, 2);
	minutes = hours >= 0 && skip(text, ':') ? read_digits(text, 2) : -1;
	if (hours > MAX_TZDISP_HOUR || minutes < 0 || minutes > 59)
		return false;
	*offset = sign * (hours * MINS_PER_HOUR + minutes) * SECS_PER_MINUTE;
	return true;
}

/* DncFastInput of timestamp with time zone (RFC 3339 5.6). */
static bool
read_timestamptz(const char *text, Datum *value)
{
	int			days;
	int64		time;
	int			offset;

	if (!read_date(&text, &days) || !skip(&text, 'T') || !read_time(&text, &time) ||
		!read_offset(&text, &offset) || *text != '\0')
		return false;
	*value = TimestampTzGetDatum((TimestampTz) days * USECS_PER_DAY + time -
								 (int64) offset * USECS_PER_SEC);
	return true;
}

/* The reader of a type; NULL: only its input function can read it. */
DncFastInput
dnc_fast_input_find(Oid type, int32 typmod)
{
	if (typmod >= 0)
		return NULL;
	switch (type)
	{
		case TEXTOID:
			return read_text;
		case UUIDOID:
			return read_uuid;
		case TIMESTAMPTZOID:
			return read_timestamptz;
		default:
			return NULL;
	}
}
