/*-------------------------------------------------------------------------
 *
 * json.c
 *		JSON texts read into trees, through cJSON.
 *
 * This is the only file that includes cJSON.h.  cJSON does not check the encoding, ends
 * a string at an escaped NUL, and accepts more than JSON.  So we check all of these
 * before cJSON gets the text.  Strings stay UTF-8: code that shows a string must convert
 * it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <cjson/cJSON.h>
#include <math.h>

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "wire/json.h"

/*
 * The memory that cJSON gets while it reads a text.  We cut pieces from blocks of a memory
 * context, and free them all at once with the context.
 */
typedef struct Arena
{
	MemoryContext context;
	char	   *next;			/* in the current block */
	size_t		left;
} Arena;

#define ARENA_BLOCK_SIZE (64 * 1024)

/* The arena in use: cJSON's hooks have no argument that could name it. */
static Arena arena;

/* cJSON_Hooks.malloc_fn: never throws, because cJSON could not clean up. */
static void *
arena_allocate(size_t size)
{
	void	   *piece;

	size = MAXALIGN(size);
	if (size > arena.left)
	{
		size_t		block = Max(size, ARENA_BLOCK_SIZE);

		arena.next = MemoryContextAllocExtended(arena.context, block,
												MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
		arena.left = arena.next ? block : 0;
		if (arena.next == NULL)
			return NULL;
	}
	piece = arena.next;
	arena.next += size;
	arena.left -= size;
	return piece;
}

/* cJSON_Hooks.free_fn: the arena frees everything later. */
static void
arena_free(void *piece)
{
}

/* Read a text with the arena in place; nothing in this function throws. */
static cJSON *
parse_in_arena(const char *text, size_t length)
{
	cJSON_Hooks hooks = {.malloc_fn = arena_allocate, .free_fn = arena_free};
	cJSON	   *tree;

	arena.context = CurrentMemoryContext;
	arena.left = 0;
	cJSON_InitHooks(&hooks);
	tree = cJSON_ParseWithLengthOpts(text, length + 1, NULL, true);
	cJSON_InitHooks(NULL);
	return tree;
}

/* cJSON's version. */
const char *
dnc_json_version(void)
{
	return cJSON_Version();
}

/*
 * Find a problem in a text that cJSON must not get.  The text has a NUL behind its length.
 * Returns a sentence; NULL: there is none, and dnc_json_tree() may read the text.
 */
const char *
dnc_json_problem(const char *text, size_t length, DncJsonOutline *outline)
{
	outline->count = 0;
	if (length == 0)
		return "The body is empty.";
	if (!pg_verify_mbstr(PG_UTF8, text, length, true))
		return "The body is not UTF-8.";
	return dnc_json_text_problem(text, length, outline);
}

/*
 * Read a whole JSON text (RFC 8259) in which dnc_json_problem() found no problem.  The tree
 * lives as long as the current memory context.  NULL: the text is no JSON, and *problem is a
 * sentence that says so.
 */
const DncJson *
dnc_json_tree(const char *text, size_t length, const char **problem)
{
	const DncJson *tree = parse_in_arena(text, length);

	*problem = tree ? NULL : "The body is not JSON.";
	return tree;
}

/* dnc_json_problem() and dnc_json_tree() together; NULL if there is any problem. */
const DncJson *
dnc_json_parse(const char *text, size_t length, const char **problem)
{
	DncJsonOutline outline;

	*problem = dnc_json_problem(text, length, &outline);
	return *problem ? NULL : dnc_json_tree(text, length, problem);
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

/*
 * The value of a number as a count: whole, at least 0 and below 2^53; false: it is no count.
 * From 2^53 on, a double cannot tell every whole number from the next.
 */
bool
dnc_json_count(const DncJson *json, int64 *count)
{
	double		number;

	if (!cJSON_IsNumber(json))
		return false;
	number = json->valuedouble;
	if (!(number >= 0 && number < 9007199254740992.0) || number != floor(number))
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
 * The value at a path such as "data" or "pagination.total"; NULL: the path leads nowhere, or a
 * member on the path comes twice and we cannot tell which is meant.
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

/*
 * The place of the value at a path, in the text that the tree was made from.  The path must
 * exist, with each of its members only once.
 */
const char *
dnc_json_locate(const DncJson *json, const char *path, const char *text)
{
	text = dnc_json_text_begin(text);
	while (*path)
	{
		size_t		length = strcspn(path, ".");
		const DncJson *wanted = only_member(json, path, length);

		Assert(wanted);
		text = dnc_json_text_value(dnc_json_text_enter(text));
		for (const DncJson *member = json->child; member != wanted; member = member->next)
			text = dnc_json_text_value(dnc_json_text_next(text));
		json = wanted;
		path += length + (path[length] == '.');
	}
	return text;
}
