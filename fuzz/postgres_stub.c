/*
 * postgres_stub.c
 *		The few functions of a backend that src/match/, src/wire/json.c, src/wire/url.c and
 *		src/request/rate_headers.c use, so that they stand alone under libFuzzer.
 *
 * There is one memory context.  We malloc each piece of memory by itself, so that Address
 * Sanitizer sees its bounds.  Functions that the code under test never calls end the process.
 */
#include "postgres.h"

#include "common/unicode_norm.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"
#include "utils/palloc.h"

#include "postgres_stub.h"

typedef struct StubPiece
{
	struct StubPiece *next;
	void	   *memory;
} StubPiece;

static StubPiece *pieces = NULL;

MemoryContext CurrentMemoryContext = NULL;

void
stub_reset(void)
{
	while (pieces)
	{
		StubPiece  *piece = pieces;

		pieces = piece->next;
		free(piece->memory);
		free(piece);
	}
}

void *
palloc(Size size)
{
	StubPiece  *piece = malloc(sizeof(StubPiece));

	piece->memory = malloc(size);
	piece->next = pieces;
	pieces = piece;
	return piece->memory;
}

void *
palloc0(Size size)
{
	return memset(palloc(size), 0, size);
}

char *
pstrdup(const char *text)
{
	return strcpy(palloc(strlen(text) + 1), text);
}

char *
pnstrdup(const char *text, Size length)
{
	char	   *copy;

	length = strnlen(text, length);
	copy = palloc(length + 1);
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

/* The piece that has some memory. */
static StubPiece *
find_piece(void *memory)
{
	StubPiece  *piece = pieces;

	while (piece->memory != memory)
		piece = piece->next;
	return piece;
}

void
pfree(void *memory)
{
	StubPiece  *piece = find_piece(memory);
	StubPiece **link = &pieces;

	while (*link != piece)
		link = &(*link)->next;
	*link = piece->next;
	free(memory);
	free(piece);
}

void *
repalloc(void *memory, Size size)
{
	StubPiece  *piece = find_piece(memory);

	piece->memory = realloc(memory, size);
	return piece->memory;
}

void *
MemoryContextAllocExtended(MemoryContext context, Size size, int flags)
{
	return palloc(size);
}

/* As in src/backend/utils/mb/mbutils.c, of UTF-8 and without the error. */
bool
pg_verify_mbstr(int encoding, const char *text, int length, bool no_error)
{
	return pg_encoding_verifymbstr(encoding, text, length) == length;
}

#ifdef STUB_NORMALIZE

/* The function of libpgcommon gives malloc'd memory. */
extern pg_wchar *__real_unicode_normalize(UnicodeNormalizationForm form, const pg_wchar *input);
extern pg_wchar *__wrap_unicode_normalize(UnicodeNormalizationForm form, const pg_wchar *input);

pg_wchar *
__wrap_unicode_normalize(UnicodeNormalizationForm form, const pg_wchar *input)
{
	pg_wchar   *result = __real_unicode_normalize(form, input);
	pg_wchar   *copy;
	Size		length = 0;

	while (result[length])
		length++;
	copy = palloc((length + 1) * sizeof(pg_wchar));
	memcpy(copy, result, (length + 1) * sizeof(pg_wchar));
	free(result);
	return copy;
}

#endif							/* STUB_NORMALIZE */

/* ----- linked, and not called ----- */

#define NEVER(declaration) declaration { abort(); }

NEVER(bool errstart(int elevel, const char *domain))
NEVER(bool errstart_cold(int elevel, const char *domain))
NEVER(void errfinish(const char *filename, int lineno, const char *funcname))
NEVER(int errcode(int sqlerrcode))
NEVER(int errmsg(const char *fmt,...))
NEVER(int errmsg_internal(const char *fmt,...))
NEVER(int errdetail_internal(const char *fmt,...))
NEVER(int errhint(const char *fmt,...))
NEVER(char *pg_any_to_server(const char *s, int len, int encoding))
NEVER(int pg_encoding_mbcliplen(int encoding, const char *mbstr, int len, int limit))
