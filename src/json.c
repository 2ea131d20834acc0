/*-------------------------------------------------------------------------
 *
 * json.c
 *		JSON texts read into trees, through cJSON.
 *
 * This is the only file that includes cJSON.h.  cJSON does not look at the
 * encoding, ends a string at an escaped NUL or an escape that is none, and is
 * lenient with blanks and numbers; so these are seen to before it is asked.
 * Strings stay UTF-8: whoever shows one converts it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <cjson/cJSON.h>
#include <math.h>

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "json.h"

/* Skip digits; NULL: there is none, or nothing. */
static const char *
skip_digits(const char *c)
{
	size_t		count = c ? strspn(c, "0123456789") : 0;

	return count > 0 ? c + count : NULL;
}

/* Skip a number (RFC 8259 6), with which *c begins; NULL: it is none. */
static const char *
skip_number(const char *c)
{
	if (*c == '-')
		c++;
	c = *c == '0' ? c + 1 : skip_digits(c);
	if (c && *c == '.')
		c = skip_digits(c + 1);
	if (c && (*c == 'e' || *c == 'E'))
		c = skip_digits(c + (c[1] == '+' || c[1] == '-' ? 2 : 1));
	return c && strchr(" \t\n\r,]}", *c) ? c : NULL;
}

/* Skip a string (RFC 8259 7), *c being its first quote; NULL: *problem. */
static const char *
skip_string(const char *c, const char **problem)
{
	for (c++; *c != '"'; c++)
	{
		if (*c == '\\')
		{
			c++;
			if (strncmp(c, "u0000", 5) == 0)
			{
				*problem = "The body holds \\u0000, which PostgreSQL cannot store.";
				return NULL;
			}
			if (*c == 'u' && strspn(c + 1, "0123456789abcdefABCDEF") < 4)
				return NULL;
		}
		/* Not in a string, nor behind a backslash; the text's end is one too. */
		if ((unsigned char) *c < 0x20)
			return NULL;
	}
	return c + 1;
}

/*
 * Look through a text, token by token, for what cJSON lets pass although it is
 * no JSON, or reads as something else: bad escapes end a string early there,
 * control characters are taken as blanks.  NULL: cJSON can have it.
 */
static const char *
find_problem(const char *text)
{
	const char *problem = "The body is not JSON.";

	for (const char *c = text; c && *c;)
	{
		if (*c == '"')
			c = skip_string(c, &problem);
		else if (strchr("-0123456789", *c))
			c = skip_number(c);
		else
			c = strchr("{}[]:, \t\n\rtruefalsn", *c) ? c + 1 : NULL;
		if (c == NULL)
			return problem;
	}
	return NULL;
}

/* Free a tree; runs when the memory context it was parsed in goes. */
static void
release_tree(void *tree)
{
	cJSON_Delete(tree);
}

/*
 * Read a JSON text (RFC 8259), all of it, NUL-terminated beyond its length.
 * The tree lives as long as the current memory context.  NULL: it is no JSON
 * that we can take, and *problem says why, as a sentence.
 */
const DncJson *
dnc_json_parse(const char *text, size_t length, const char **problem)
{
	MemoryContextCallback *callback;
	cJSON	   *tree;

	*problem = NULL;
	if (length == 0)
		*problem = "The body is empty.";
	else if (!pg_verify_mbstr(PG_UTF8, text, length, true))
		*problem = "The body is not UTF-8.";
	else
		*problem = find_problem(text);
	if (*problem)
		return NULL;

	callback = palloc(sizeof(MemoryContextCallback));
	tree = cJSON_ParseWithLengthOpts(text, length + 1, NULL, true);
	if (tree == NULL)
	{
		*problem = "The body is not JSON.";
		return NULL;
	}
	callback->func = release_tree;
	callback->arg = tree;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	return tree;
}

/* The type of a value. */
DncJsonKind
dnc_json_kind(const DncJson *json)
{
	switch (json->type & 0xff)
	{
		case cJSON_False:
		case cJSON_True:
			return DNC_JSON_BOOLEAN;
		case cJSON_Number:
			return DNC_JSON_NUMBER;
		case cJSON_String:
			return DNC_JSON_STRING;
		case cJSON_Array:
			return DNC_JSON_ARRAY;
		case cJSON_Object:
			return DNC_JSON_OBJECT;
		default:
			return DNC_JSON_NULL;
	}
}

/* The name of a member of an object, UTF-8. */
const char *
dnc_json_name(const DncJson *json)
{
	return json->string;
}

/* The value of a boolean. */
bool
dnc_json_boolean(const DncJson *json)
{
	return cJSON_IsTrue(json);
}

/* The value of a string, UTF-8. */
const char *
dnc_json_string(const DncJson *json)
{
	return json->valuestring;
}

/* The value of a number as a count: whole, from 0 to 2^53; false: it is none. */
bool
dnc_json_count(const DncJson *json, int64 *count)
{
	double		number;

	if (!cJSON_IsNumber(json))
		return false;
	number = json->valuedouble;
	if (!(number >= 0 && number <= 9007199254740992.0) || number != floor(number))
		return false;
	*count = (int64) number;
	return true;
}

/* The first element of an array or member of an object; NULL: none. */
const DncJson *
dnc_json_first(const DncJson *json)
{
	return json->child;
}

/* The element or member behind this one; NULL: it is the last. */
const DncJson *
dnc_json_next(const DncJson *json)
{
	return json->next;
}

/* The only member with a name of length bytes; NULL: none, or several. */
static const DncJson *
only_member(const DncJson *object, const char *name, size_t length)
{
	const DncJson *found = NULL;

	for (const DncJson *member = object->child; member; member = member->next)
	{
		if (strlen(member->string) == length && memcmp(member->string, name, length) == 0)
		{
			if (found)
				return NULL;
			found = member;
		}
	}
	return found;
}

/*
 * The value at a path such as "data" or "pagination.total"; NULL: there is
 * none, or the text gives it twice, so that it cannot be told which is meant.
 */
const DncJson *
dnc_json_get(const DncJson *json, const char *path)
{
	while (json && *path)
	{
		size_t		length = strcspn(path, ".");

		json = cJSON_IsObject(json) ? only_member(json, path, length) : NULL;
		path += length + (path[length] == '.');
	}
	return json;
}
