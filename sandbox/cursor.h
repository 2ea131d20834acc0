/*
 * cursor.h
 *		Opaque cursors: the beginning of a page, and the query that it belongs to.
 */
#ifndef SB_CURSOR_H
#define SB_CURSOR_H

#include "text.h"

typedef enum SbCursorKind
{
	SB_CURSOR_PAGE,				/* page number */
	SB_CURSOR_AFTER,			/* the entries after a position of the list */
	SB_CURSOR_BEFORE			/* the entries before a position of the list */
} SbCursorKind;

typedef struct SbCursor
{
	SbCursorKind kind;
	int64_t		at;				/* page number from 1, or position */
	int64_t		limit;			/* page size of the query it belongs to */
	uint64_t	filters;		/* hash of that query's filters */
} SbCursor;

extern void sb_cursor_write(SbText *into, const SbCursor *cursor);
extern bool sb_cursor_read(const char *string, SbCursor *cursor);

#endif							/* SB_CURSOR_H */
