/*-------------------------------------------------------------------------
 *
 * page.h
 *		A page of a list, and a position between two pages.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PAGE_H
#define DNC_PAGE_H

#include "nodes/pg_list.h"

#include "config/option.h"
#include "wire/json.h"

/* A page that was read; lives until somebody asks for the next page. */
typedef struct DncPage
{
	const DncJson *first;		/* the page's first entry; NULL: it has none */
	bool	   *given;			/* by index: given with an earlier page; NULL: none was */
	const char *entries;		/* the array of entries as it came, UTF-8, and more */
} DncPage;

/* Does a page continue at the place of a list's reader? */
typedef enum DncPageFit
{
	DNC_PAGE_TAKEN,				/* yes */
	DNC_PAGE_UNFIT,				/* no: we have to ask for another page */
	DNC_PAGE_LOST				/* no page does: we cannot take up the stored position */
} DncPageFit;

/*
 * A pager's place in a list, after a page.  This is plain data: we can store it, and another
 * pager can go on from it, even in another session.  Provider, base URL, account and filters
 * must be the same then; the caller ensures that.
 *
 * We take up a stored position by reading its last page again.  The entries of that page must
 * be there; otherwise the list has moved too far, or is another list.  ids holds the ids of the
 * last page.  A caller that has more ids, of earlier pages, can add them: then we find the
 * place again even after more changes.
 *
 * We never leave out an entry that is on the list all the time (with numbered pages, and as far
 * as the API's cursors allow).  But if the list moves, an entry that is not in ids may be given
 * again, so the caller must keep entries by their ids.
 */
typedef struct DncPosition
{
	const char *generation;		/* marker of the paging (DncPaging); NULL: no page was read */
	int			pages;			/* read so far */
	int			page_size;		/* in force */
	const char *cursor;			/* with cursors: the last page's cursor, UTF-8; NULL: the last
								 * page was the first one */
	int64		place;			/* with numbered pages: the number of entries in front of the
								 * next page; valid for pages of any size */
	int64		total;			/* entries of the list, as the API counts them; -1: not known */
	bool		moved;			/* we saw the list change while we read it */
	int64		given;			/* entries given so far, each once */
	List	   *ids;			/* of char *, UTF-8: the ids of the last page, in order */
	bool		at_end;			/* the last page was the list's last one */
} DncPosition;

extern int64 dnc_page_count_new(const DncPage *page);
extern const char *dnc_page_id(const DncOptions *options, const DncJson *entry);

#endif							/* DNC_PAGE_H */
