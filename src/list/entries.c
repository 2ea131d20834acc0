/*-------------------------------------------------------------------------
 *
 * entries.c
 *		The entries of a list, one by one: as a tree, and as the text that came.
 *
 * We leave out an entry that was given with an earlier page.  The caller turns the
 * pages: a scan must not wait for a page while Append has other work, and other callers
 * stop after the first page.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "list/entries.h"
#include "wire/json_text.h"

/* Go to a page that was read, before its first entry. */
void
dnc_entries_begin_page(DncEntries *entries, const DncPage *page)
{
	entries->page = *page;
	entries->entry = NULL;
	entries->next = page->first;
	entries->next_index = 0;
	entries->text = NULL;
}

/* Go to the next page of the list; false: there is none.  Raises the errors of dnc_pager_next(). */
bool
dnc_entries_next_page(DncEntries *entries)
{
	DncPage		page;

	if (!dnc_pager_next(entries->pager, &page))
		return false;
	dnc_entries_begin_page(entries, &page);
	return true;
}

/* Go to the next entry of the page; false: there is none. */
bool
dnc_entries_next(DncEntries *entries)
{
	bool		given = true;

	while (entries->next && given)
	{
		entries->entry = entries->next;
		entries->index = entries->next_index++;
		entries->next = dnc_json_next(entries->entry);
		given = entries->page.given && entries->page.given[entries->index];
	}
	if (given)
		entries->entry = NULL;
	return !given;
}

/* Were all entries of the page looked at? */
bool
dnc_entries_page_is_read(const DncEntries *entries)
{
	return entries->next == NULL;
}

/*
 * The current entry as it came, UTF-8, with the text behind it.  We look for the text only on
 * request, because few queries need it.
 */
const char *
dnc_entries_text(DncEntries *entries)
{
	if (entries->text == NULL)
	{
		entries->text = dnc_json_text_enter(entries->page.entries);
		entries->text_index = 0;
	}
	while (entries->text_index < entries->index)
	{
		entries->text = dnc_json_text_next(entries->text);
		entries->text_index++;
	}
	return entries->text;
}
