/*-------------------------------------------------------------------------
 *
 * option_value.c
 *		The values of options: read, checked, refused.
 *
 * The table in option.c says which values each option takes.  This file reads the kinds
 * of values, and refuses bad ones.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <math.h>

#include "utils/builtins.h"
#include "utils/guc.h"

#include "config/column.h"
#include "config/option_value.h"
#include "config/registry.h"
#include "match/country.h"
#include "wire/url.h"

/* A number of milliseconds or bytes in the largest unit that shows all of it: "24d", "16MB". */
static char *
with_unit(DncOptionKind kind, double value)
{
	static const struct
	{
		DncOptionKind kind;
		double		size;
		const char *name;
	}			units[] =
	{
		{DNC_KIND_MILLISECONDS, 24.0 * 60 * 60 * 1000, "d"},
		{DNC_KIND_MILLISECONDS, 60.0 * 60 * 1000, "h"},
		{DNC_KIND_MILLISECONDS, 60.0 * 1000, "min"},
		{DNC_KIND_MILLISECONDS, 1000, "s"},
		{DNC_KIND_MILLISECONDS, 1, "ms"},
		{DNC_KIND_BYTES, 1024.0 * 1024, "MB"},
		{DNC_KIND_BYTES, 1024, "kB"},
		{DNC_KIND_BYTES, 1, "B"},
	};

	for (size_t i = 0; value > 0 && i < lengthof(units); i++)
	{
		if (units[i].kind == kind && fmod(value, units[i].size) == 0)
			return psprintf("%.0f%s", value / units[i].size, units[i].name);
	}
	return psprintf("%.0f", value);
}

/* The values that an option takes, as a sentence for DETAIL; palloc'd. */
static char *
range_text(const DncOptionDef *def)
{
	StringInfoData text;

	initStringInfo(&text);
	switch (def->kind)
	{
		case DNC_KIND_INTEGER:
			appendStringInfo(&text, "It takes a whole number from %.0f to %.0f.", def->min, def->max);
			break;
		case DNC_KIND_MILLISECONDS:
			appendStringInfo(&text,
							 "It takes a time from %s to %s, with a unit (ms, s, min, h or d); without a unit, in milliseconds.",
							 with_unit(def->kind, def->min), with_unit(def->kind, def->max));
			break;
		case DNC_KIND_BYTES:
			appendStringInfo(&text,
							 "It takes a size from %s to %s, with a unit (B, kB, MB or GB); without a unit, in bytes.",
							 with_unit(def->kind, def->min), with_unit(def->kind, def->max));
			break;
		case DNC_KIND_REAL:
			appendStringInfo(&text, "It takes a number from %.0f to %.0f.", def->min, def->max);
			break;
		case DNC_KIND_BOOLEAN:
			appendStringInfoString(&text, "It takes \"true\" or \"false\".");
			break;
		case DNC_KIND_PROVIDER:
			appendStringInfo(&text, "The providers are: %s.", dnc_registry_names());
			break;
		case DNC_KIND_WORD:
			appendStringInfoString(&text, "It takes ");
			for (int i = 0; def->words[i]; i++)
				appendStringInfo(&text, "%s\"%s\"",
								 i == 0 ? "" : def->words[i + 1] ? ", " : " or ", def->words[i]);
			appendStringInfoChar(&text, '.');
			break;
		case DNC_KIND_COUNTRY:
			appendStringInfoString(&text,
								   "It takes the two letters of a country in ISO 3166, such as \"US\", \"GB\" or \"DE\".");
			break;
		case DNC_KIND_FILE:
			appendStringInfoString(&text, "It takes the path of a file on the database server.");
			break;
		case DNC_KIND_SECRET_FILE:
			appendStringInfoString(&text,
								   "It takes the absolute path of a file on the database server.");
			break;
		case DNC_KIND_NAME:
			appendStringInfoString(&text, "It takes a name of your choice, which must not be empty.");
			break;
		case DNC_KIND_SECRET:
			appendStringInfoString(&text,
								   "It takes printable ASCII characters without blanks, as the vendor gave them, without \"Bearer\" in front.");
			break;
		default:
			elog(ERROR, "option \"%s\" has no range", def->name);
	}
	return text.data;
}

/*
 * Refuse a value.  The message does not repeat secrets, nor values that may hold one: a URL, or
 * a token in place of its file's name.
 */
void
dnc_option_value_refuse(const DncOptionDef *def, const char *value, const char *detail)
{
	if (def->kind == DNC_KIND_SECRET || def->kind == DNC_KIND_SECRET_FILE ||
		def->kind == DNC_KIND_BASE_URL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("invalid value for option \"%s\"", def->name),
				 errdetail("%s", detail)));
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", def->name, value),
			 errdetail("%s", detail)));
}

/* Is the text fit for a header's value: printable ASCII, not empty? */
bool
dnc_option_value_is_header_text(const char *text)
{
	if (*text == '\0')
		return false;
	for (const char *c = text; *c; c++)
	{
		if (*c <= 0x20 || *c >= 0x7f)
			return false;
	}
	return true;
}

/* The index of a word of an option; -1: there is no such word. */
static int
find_word(const DncOptionDef *def, const char *value)
{
	for (int i = 0; def->words[i]; i++)
	{
		if (strcmp(def->words[i], value) == 0)
			return i;
	}
	return -1;
}

/*
 * Read a count: decimal digits and nothing else.  parse_int() would take '0.4' for 0, which
 * turns a limit off, and it accepts exponents and hexadecimal digits.
 */
static bool
parse_count(const char *value, int *number)
{
	int64		sum = 0;

	if (*value == '\0')
		return false;
	for (const char *c = value; *c; c++)
	{
		if (*c < '0' || *c > '9')
			return false;
		sum = sum * 10 + (*c - '0');
		if (sum > INT_MAX)
			return false;
	}
	*number = (int) sum;
	return true;
}

/*
 * Read a time or a size, with or without a unit; flags are those of parse_int().  The value
 * must begin with a decimal digit.  We accept a fraction such as '1.5s' only if it is a whole
 * number in the option's own unit; otherwise '0.4' would be rounded to 0.
 */
static bool
parse_quantity(const char *value, int flags, int *number)
{
	size_t		digits = strspn(value, "0123456789.");
	double		exact;

	if (*value < '0' || *value > '9' || value[digits] == 'e' || value[digits] == 'E' ||
		value[digits] == 'x' || value[digits] == 'X')
		return false;
	return parse_int(value, number, flags, NULL) && parse_real(value, &exact, flags, NULL) &&
		exact == *number;
}

/* Read a country into *target, palloc'd, in upper case; false: there is no such country. */
static bool
read_country(const char *value, char **target)
{
	*target = palloc0(3);
	return dnc_country_read(value, *target);
}

/* A base URL without the slashes at its end; palloc'd. */
static char *
clean_base_url(const char *value)
{
	char	   *url = pstrdup(value);

	for (size_t length = strlen(url); length > 0 && url[length - 1] == '/'; length--)
		url[length - 1] = '\0';
	return url;
}

/* Read a count, a time or a size; false: malformed, or outside the option's range. */
static bool
read_integer(const DncOptionDef *def, const char *value, int *number)
{
	int			unit = def->kind == DNC_KIND_BYTES ? GUC_UNIT_BYTE : GUC_UNIT_MS;
	bool		good = def->kind == DNC_KIND_INTEGER ? parse_count(value, number)
		: parse_quantity(value, unit, number);

	return good && *number >= def->min && *number <= def->max;
}

/*
 * Check an option's value and store it in *options, the struct to which the option's offset
 * belongs.  Raises HV024 for an invalid value, and HV007 for an unknown column.
 */
void
dnc_option_value_apply(const DncOptionDef *def, const char *value, void *options)
{
	void	   *target = (char *) options + (def->offset == DNC_NOWHERE ? 0 : def->offset);
	const char *problem;
	bool		good = true;

	switch (def->kind)
	{
		case DNC_KIND_PROVIDER:
			good = (*(const DncProvider **) target = dnc_registry_find(value)) != NULL;
			break;
		case DNC_KIND_BASE_URL:
			if ((problem = dnc_url_check_base(value)) != NULL)
				dnc_option_value_refuse(def, value, problem);
			*(char **) target = clean_base_url(value);
			break;
		case DNC_KIND_COLUMN:
			if (dnc_column_find(value) == DNC_COL_NONE)
				dnc_column_unknown(value, NULL);
			break;
		case DNC_KIND_COUNTRY:
			good = read_country(value, target);
			break;
		case DNC_KIND_FILE:
		case DNC_KIND_NAME:
			good = *value != '\0';
			*(char **) target = pstrdup(value);
			break;
		case DNC_KIND_SECRET_FILE:
			good = is_absolute_path(value);
			*(char **) target = pstrdup(value);
			break;
		case DNC_KIND_SECRET:
			good = dnc_option_value_is_header_text(value);
			*(char **) target = pstrdup(value);
			break;
		case DNC_KIND_INTEGER:
		case DNC_KIND_MILLISECONDS:
		case DNC_KIND_BYTES:
			good = read_integer(def, value, target);
			break;
		case DNC_KIND_REAL:
			{
				double	   *number = target;

				good = parse_real(value, number, 0, NULL) &&
					*number >= def->min && *number <= def->max;
				break;
			}
		case DNC_KIND_BOOLEAN:
			good = parse_bool(value, (bool *) target);
			break;
		case DNC_KIND_WORD:
			good = (*(int *) target = find_word(def, value)) >= 0;
			break;
	}
	if (!good)
		dnc_option_value_refuse(def, value, range_text(def));
}

/* Does an option have the same value in two structs of options? */
bool
dnc_option_value_equal(const DncOptionDef *def, const void *one, const void *other)
{
	const char *mine = (const char *) one + def->offset;
	const char *theirs = (const char *) other + def->offset;

	if (def->offset == DNC_NOWHERE)
		return true;
	switch (def->kind)
	{
		case DNC_KIND_BASE_URL:
		case DNC_KIND_COUNTRY:
		case DNC_KIND_FILE:
		case DNC_KIND_NAME:
		case DNC_KIND_SECRET:
		case DNC_KIND_SECRET_FILE:
			{
				const char *text = *(char *const *) mine;
				const char *other_text = *(char *const *) theirs;

				return text && other_text ? strcmp(text, other_text) == 0 : text == other_text;
			}
		case DNC_KIND_PROVIDER:
			return *(const DncProvider *const *) mine == *(const DncProvider *const *) theirs;
		case DNC_KIND_REAL:
			return *(const double *) mine == *(const double *) theirs;
		case DNC_KIND_BOOLEAN:
			return *(const bool *) mine == *(const bool *) theirs;
		case DNC_KIND_INTEGER:
		case DNC_KIND_MILLISECONDS:
		case DNC_KIND_BYTES:
		case DNC_KIND_WORD:
			return *(const int *) mine == *(const int *) theirs;
		case DNC_KIND_COLUMN:
			break;
	}
	return true;				/* the struct does not have the option */
}
