/*-------------------------------------------------------------------------
 *
 * entries.h
 *		The entries of a list, one by one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ENTRIES_H
#define DNC_ENTRIES_H

#include "list/pager.h"

/*
 * The loop over the entries of a list.  The current entry lives until the next page is read.
 * Begins as {.pager = ...}.
 */
typedef struct DncEntries
{
	DncPager   *pager;
	const DncJson *entry;		/* the current entry, as a tree; NULL: none */
	int			index;			/* the entry's place on the page, from 0 */

	/* Known to entries.c only. */
	DncPage		page;
	const DncJson *next;		/* the entry after the current one, on the same page; NULL: none */
	int			next_index;
	const char *text;			/* the text of the entry at text_index; NULL: no entry yet */
	int			text_index;
} DncEntries;

extern bool dnc_entries_next_page(DncEntries *entries);
extern void dnc_entries_begin_page(DncEntries *entries, const DncPage *page);
extern bool dnc_entries_next(DncEntries *entries);
extern bool dnc_entries_page_is_read(const DncEntries *entries);
extern const char *dnc_entries_text(DncEntries *entries);

#endif							/* DNC_ENTRIES_H */
