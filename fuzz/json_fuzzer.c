/*
 * json_fuzzer.c
 *		src/wire/json.c and src/wire/json_text.c under libFuzzer, compared with PostgreSQL's
 *		own JSON parser.
 *
 * Both have to take or refuse the same texts, and find the same in them: the list of brackets,
 * names and strings, in order.  Otherwise a row would differ from its own attrs.  The same holds
 * for the values of a text, each copied from its place.  Some differences are on purpose:
 * src/wire/json.c gives up very deep texts and very long numbers, and takes a byte order mark.
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "wire/json.h"
#include "wire/json_text.h"
#include "postgres_stub.h"

/* Nesting and digits that may be too many for src/wire/json.c. */
#define MAX_DEPTH 900
#define MAX_NUMBER 63

#if PG_VERSION_NUM >= 160000
#define ACTION static JsonParseErrorType
#define END_ACTION return JSON_SUCCESS
#else
#define ACTION static void
#define END_ACTION return
#endif

/* The findings of one parser. */
typedef struct Account
{
	StringInfoData text;
	int			depth;
	bool		excessive;		/* src/wire/json.c may refuse it */
} Account;

static void
note(Account *account, char kind, const char *text)
{
	appendStringInfoChar(&account->text, kind);
	if (text)
		appendBinaryStringInfo(&account->text, text, strlen(text) + 1);
}

static void
go_down(Account *account, char kind)
{
	note(account, kind, NULL);
	if (++account->depth > MAX_DEPTH)
		account->excessive = true;
}

ACTION
object_start(void *state)
{
	go_down(state, '{');
	END_ACTION;
}

ACTION
array_start(void *state)
{
	go_down(state, '[');
	END_ACTION;
}

ACTION
any_end(void *state)
{
	note(state, '.', NULL);
	((Account *) state)->depth--;
	END_ACTION;
}

ACTION
field_start(void *state, char *name, bool isnull)
{
	note(state, ':', name);
	END_ACTION;
}

ACTION
scalar(void *state, char *token, JsonTokenType type)
{
	Account    *account = state;

	switch (type)
	{
		case JSON_TOKEN_STRING:
			note(account, '"', token);
			break;
		case JSON_TOKEN_NUMBER:
			note(account, '0', NULL);
			if (strlen(token) >= MAX_NUMBER)
				account->excessive = true;
			break;
		case JSON_TOKEN_TRUE:
			note(account, 't', NULL);
			break;
		case JSON_TOKEN_FALSE:
			note(account, 'f', NULL);
			break;
		default:
			note(account, 'n', NULL);
	}
	END_ACTION;
}

/* Does PostgreSQL take the text?  Its findings go into *account. */
static bool
ask_postgresql(char *text, size_t length, Account *account)
{
	JsonSemAction actions = {
		.semstate = account,
		.object_start = object_start,
		.object_end = any_end,
		.array_start = array_start,
		.array_end = any_end,
		.object_field_start = field_start,
		.scalar = scalar,
	};
	JsonLexContext *lex;

#if PG_VERSION_NUM >= 170000
	lex = makeJsonLexContextCstringLen(NULL, text, length, PG_UTF8, true);
#else
	lex = makeJsonLexContextCstringLen(text, (int) length, PG_UTF8, true);
#endif
	return pg_encoding_verifymbstr(PG_UTF8, text, (int) length) == (int) length &&
		pg_parse_json(lex, &actions) == JSON_SUCCESS;
}

/* Walk a tree of ours into *account. */
static void
walk(const DncJson *json, Account *account)
{
	DncJsonKind kind = dnc_json_kind(json);
	int64		count;

	switch (kind)
	{
		case DNC_JSON_OBJECT:
		case DNC_JSON_ARRAY:
			note(account, kind == DNC_JSON_OBJECT ? '{' : '[', NULL);
			for (const DncJson *child = dnc_json_first(json); child; child = dnc_json_next(child))
			{
				if (kind == DNC_JSON_OBJECT)
					note(account, ':', dnc_json_name(child));
				walk(child, account);
			}
			note(account, '.', NULL);
			break;
		case DNC_JSON_STRING:
			note(account, '"', dnc_json_string(json));
			break;
		case DNC_JSON_NUMBER:
			note(account, '0', NULL);
			if (dnc_json_count(json, &count) && (count < 0 || count >= INT64CONST(1) << 53))
				abort();
			break;
		case DNC_JSON_BOOLEAN:
			note(account, dnc_json_boolean(json) ? 't' : 'f', NULL);
			break;
		default:
			note(account, 'n', NULL);
	}
}

/* Fails unless two parsers have found the same. */
static void
compare(const Account *ours, const Account *theirs)
{
	if (ours->text.len != theirs->text.len ||
		memcmp(ours->text.data, theirs->text.data, ours->text.len) != 0)
		abort();
}

/* Fails unless a value's copy is the same as the value in the tree. */
static void
check_copy(const char *value, const DncJson *tree)
{
	char	   *copy = dnc_json_text_copy(value);
	Account		theirs = {0};
	Account		ours = {0};

	initStringInfo(&theirs.text);
	initStringInfo(&ours.text);
	if (!ask_postgresql(copy, strlen(copy), &theirs))
		abort();
	walk(tree, &ours);
	compare(&ours, &theirs);
}

/*
 * Fails unless copies are right: of the whole text, and of each value of the array or object at a
 * path.
 */
static void
check_copies(const char *text, const DncJson *tree, const char *path)
{
	const DncJson *holder = dnc_json_get(tree, path);
	const char *value;

	check_copy(dnc_json_text_begin(text), tree);
	if (holder == NULL ||
		(dnc_json_kind(holder) != DNC_JSON_ARRAY && dnc_json_kind(holder) != DNC_JSON_OBJECT))
		return;
	value = dnc_json_text_enter(dnc_json_locate(tree, path, text));
	for (const DncJson *child = dnc_json_first(holder); child; child = dnc_json_next(child))
	{
		if (dnc_json_kind(holder) == DNC_JSON_OBJECT)
			value = dnc_json_text_value(value);
		check_copy(value, child);
		value = dnc_json_text_next(value);
	}
}

/*
 * Fails if a value that we found before we had the tree is not the value in the tree.  A value
 * that the tree lacks does not count.
 */
static void
check_found(const char *text, const DncJson *tree, const DncJsonOutline *outline, const char *path)
{
	const char *found = dnc_json_text_find(outline, path);

	if (found && dnc_json_get(tree, path) && found != dnc_json_locate(tree, path, text))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* No path ends with a dot, whose meaning is not defined. */
	static const char *const paths[] = {"", "data", "next", "pagination.total",
		"pagination.nextCursor", "data.dncList", "data.pagination.page", "a..b", ".a"};
	char	   *text = palloc(size + 1);
	Account		theirs = {0};
	Account		ours = {0};
	DncJsonOutline outline;
	const char *problem;
	const DncJson *tree;
	size_t		mark;
	bool		taken;

	memcpy(text, data, size);
	text[size] = '\0';
	mark = strncmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	initStringInfo(&theirs.text);
	initStringInfo(&ours.text);
	taken = ask_postgresql(text + mark, size - mark, &theirs);
	tree = dnc_json_parse(text, size, &problem);
	if ((tree == NULL) != (problem != NULL))
		abort();
	if (tree && !taken)
		abort();
	if (!tree && taken && !theirs.excessive)
		abort();
	if (tree)
	{
		walk(tree, &ours);
		compare(&ours, &theirs);
		for (size_t i = 0; i < lengthof(paths); i++)
			check_copies(text, tree, paths[i]);
		if (dnc_json_problem(text, size, &outline) != NULL)
			abort();
		for (size_t i = 1; i < lengthof(paths); i++)
			check_found(text, tree, &outline, paths[i]);
	}
	stub_reset();
	return 0;
}
