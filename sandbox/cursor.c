/*
 * cursor.c
 *		Opaque cursors: the beginning of a page, and the query that it belongs to.
 *
 * Inside, they are JSON in base64url, like the vendor's.  A cursor by page number begins with the
 * same characters as the vendor's.
 */
#include "cursor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "encode.h"

/* One form for each kind.  A cursor must print the same again after it is read back. */
static const char *const forms[] = {
	[SB_CURSOR_PAGE] = "{\"v\":1,\"t\":\"page-based\",\"p\":%" PRId64 ",\"l\":%" PRId64
	",\"f\":\"%016" PRIx64 "\"}",
	[SB_CURSOR_AFTER] = "{\"v\":1,\"t\":\"keyset\",\"after\":%" PRId64 ",\"l\":%" PRId64
	",\"f\":\"%016" PRIx64 "\"}",
	[SB_CURSOR_BEFORE] = "{\"v\":1,\"t\":\"keyset\",\"before\":%" PRId64 ",\"l\":%" PRId64
	",\"f\":\"%016" PRIx64 "\"}"
};

static const char *const scans[] = {
	[SB_CURSOR_PAGE] = "{\"v\":1,\"t\":\"page-based\",\"p\":%" SCNd64 ",\"l\":%" SCNd64
	",\"f\":\"%16" SCNx64 "\"}",
	[SB_CURSOR_AFTER] = "{\"v\":1,\"t\":\"keyset\",\"after\":%" SCNd64 ",\"l\":%" SCNd64
	",\"f\":\"%16" SCNx64 "\"}",
	[SB_CURSOR_BEFORE] = "{\"v\":1,\"t\":\"keyset\",\"before\":%" SCNd64 ",\"l\":%" SCNd64
	",\"f\":\"%16" SCNx64 "\"}"
};

/* Appends a cursor's string. */
void
sb_cursor_write(SbText *into, const SbCursor *cursor)
{
	char		inside[160];
	int			len = snprintf(inside, sizeof(inside), forms[cursor->kind], cursor->at,
							   cursor->limit, cursor->filters);

	sb_base64url_encode(into, inside, (size_t) len);
}

/* Reads a cursor's string; false if sb_cursor_write() did not make it. */
bool
sb_cursor_read(const char *string, SbCursor *cursor)
{
	SbText		inside = {0};
	bool		good = false;

	if (sb_base64url_decode(&inside, string) && inside.len > 0)
	{
		for (int kind = SB_CURSOR_PAGE; !good && kind <= SB_CURSOR_BEFORE; kind++)
		{
			SbText		again = {0};

			cursor->kind = (SbCursorKind) kind;
			if (sscanf(inside.data, scans[kind], &cursor->at, &cursor->limit,
					   &cursor->filters) == 3)
			{
				sb_cursor_write(&again, cursor);
				good = strcmp(again.data, string) == 0;
			}
			sb_text_free(&again);
		}
	}
	sb_text_free(&inside);
	return good && (cursor->kind != SB_CURSOR_PAGE || cursor->at >= 1);
}
