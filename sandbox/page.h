/*
 * page.h
 *		Pages of a list, by number or by position: the common part of all vendors' list
 *		requests.
 */
#ifndef SB_PAGE_H
#define SB_PAGE_H

#include "config.h"
#include "cursor.h"
#include "fault.h"
#include "view.h"

/* One page, and the cursors of its neighbours. */
typedef struct SbPage
{
	SbEntry    *entry[SB_MAX_LIMIT];
	size_t		entries;
	size_t		total;			/* entries that pass the filter */
	bool		has_more;
	bool		has_previous;
	SbCursor	next;			/* valid even if there is nothing more */
	SbCursor	previous;
} SbPage;

extern SbCursor sb_page_first(SbCursors cursors, int64_t limit, uint64_t filters);
extern void sb_page_find(SbPage *page, const SbView *view, const SbCursor *own);
extern SbCursor sb_page_repeated(SbCursor own, SbFaultKind fault);
extern void sb_page_spoil(SbPage *page, SbFaultKind fault, const SbCursor *own);
extern void sb_page_write_entries(SbText *into, const SbPage *page);
extern void sb_page_write_numbers(SbText *into, const SbPage *page, const SbCursor *own,
								  const char *pages, SbFaultKind fault);

#endif							/* SB_PAGE_H */
