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

/* A page that was read; lives until the next one is asked for. */
typedef struct DncPage
{
	const DncJson *first;		/* its first entry; NULL: it has none */
	bool	   *given;			/* by index: was given with an earlier page; NULL: none was */
	const char *entries;		/* the array of them as it came, UTF-8, and what follows */
} DncPage;

/* Does a page carry on where the reader of a list is? */
typedef enum DncPageFit
{
	DNC_PAGE_TAKEN,				/* it does */
	DNC_PAGE_UNFIT,				/* it does not: another one has to be asked for */
	DNC_PAGE_LOST				/* none does: a position cannot be taken up again */
} DncPageFit;

/*
 * Where a pager is in a list, after a page: plain data, which can be stored, and from
 * which another pager can go on, in another session too.  Provider, base URL, account
 * and filters have to be the same then; the caller sees to that.
 *
 * A stored position is taken up by reading its last page again.  The entries of that
 * page have to be found there: otherwise the list has moved too far, or it is another
 * list.  ids holds those of the last page.  A caller that has more of them, of the
 * pages before, can add them: then the place is found again after more changes.
 *
 * Nothing is left out that is on the list all the time (where pages are numbered, and as
 * far as the API's cursors allow).  But where the list moves, an entry that is not in ids
 * may be given again, so the caller keeps entries by their ids.
 */
typedef struct DncPosition
{
	const char *generation;		/* marker of the paging (DncPaging); NULL: no page was read */
	int			pages;			/* read so far */
	int			page_size;		/* in force */
	const char *cursor;			/* where there are cursors: the last page's, UTF-8; NULL: that
								 * was the first page */
	int64		place;			/* where pages are numbered: how many entries of the list are in
								 * front of the next page.  That holds for pages of any size. */
	int64		total;			/* entries of the list, as the API counts them; -1: it does not */
	bool		moved;			/* the list was seen to change while it was read */
	int64		given;			/* entries so far, each once */
	List	   *ids;			/* of char *, UTF-8: the last page's, in order */
	bool		at_end;			/* the last page was the list's last one */
} DncPosition;

extern int64 dnc_page_count_new(const DncPage *page);
extern const char *dnc_page_id(const DncOptions *options, const DncJson *entry);

#endif							/* DNC_PAGE_H */
