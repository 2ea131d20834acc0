/*
 * page.c
 *		Pages of a list, by number or by position: the common part of all vendors' list
 *		requests.
 *
 * A cursor stands for each page, even if the vendor has only page numbers.  This file has the
 * faults in the meaning of a page, as far as vendors do not differ.
 */
#include "page.h"

#include <inttypes.h>

/* The cursor of the first page. */
SbCursor
sb_page_first(SbCursors cursors, int64_t limit, uint64_t filters)
{
	bool		keyset = cursors == SB_CURSORS_KEYSET;
	SbCursor	first = {keyset ? SB_CURSOR_AFTER : SB_CURSOR_PAGE, keyset ? INT64_MIN : 1, limit,
	filters};

	return first;
}

/* Finds the page with a page number. */
static void
find_by_number(SbPage *page, const SbView *view, size_t limit, int64_t number)
{
	size_t		pages = (view->count + limit - 1) / limit;
	size_t		from = (uint64_t) number > pages ? view->count : (size_t) (number - 1) * limit;

	page->entries = sb_view_slice(view, from, limit, page->entry);
	page->has_more = from + page->entries < view->count;
	page->has_previous = number > 1;
	page->next.kind = page->previous.kind = SB_CURSOR_PAGE;
	page->next.at = number < INT64_MAX ? number + 1 : number;
	page->previous.at = number - 1;
}

/* Finds the page after or before a position of the list. */
static void
find_by_position(SbPage *page, const SbView *view, size_t limit, SbCursorKind kind, int64_t at)
{
	bool		forward = kind == SB_CURSOR_AFTER || at == INT64_MIN;
	size_t		border = sb_view_rank(view, forward ? at : at - 1);
	size_t		from = forward ? border : border > limit ? border - limit : 0;

	page->entries = sb_view_slice(view, from, forward ? limit : border - from, page->entry);
	page->has_more = from + page->entries < view->count;
	page->has_previous = from > 0;
	page->next.kind = SB_CURSOR_AFTER;
	page->previous.kind = SB_CURSOR_BEFORE;
	if (page->entries > 0)
	{
		page->next.at = page->entry[page->entries - 1]->position;
		page->previous.at = page->entry[0]->position;
	}
	else
	{
		page->next.at = forward ? at : INT64_MIN;
		page->previous.at = INT64_MAX;
	}
}

/* Finds the page for a cursor, whose limit is at most SB_MAX_LIMIT. */
void
sb_page_find(SbPage *page, const SbView *view, const SbCursor *own)
{
	size_t		limit = (size_t) own->limit;

	if (own->kind == SB_CURSOR_PAGE)
		find_by_number(page, view, limit, own->at);
	else
		find_by_position(page, view, limit, own->kind, own->at);
	page->total = view->count;
	page->next.limit = page->previous.limit = own->limit;
	page->next.filters = page->previous.filters = own->filters;
}

/* The page to give instead of a numbered page: a fault may repeat the previous page. */
SbCursor
sb_page_repeated(SbCursor own, SbFaultKind fault)
{
	if (fault == SB_FAULT_REPEAT_CURSOR && own.at > 1)
		own.at--;
	return own;
}

/* Spoils a page as a fault demands; next can be followed, whatever the page claims. */
void
sb_page_spoil(SbPage *page, SbFaultKind fault, const SbCursor *own)
{
	if (fault == SB_FAULT_EMPTY_PAGE)
		page->entries = 0;
	if (fault == SB_FAULT_REPEAT_CURSOR)
		page->next = *own;
	if (fault == SB_FAULT_EMPTY_PAGE || fault == SB_FAULT_REPEAT_CURSOR ||
		fault == SB_FAULT_NO_NEXT)
		page->has_more = true;
}

/* Appends a page's entries as a JSON array. */
void
sb_page_write_entries(SbText *into, const SbPage *page)
{
	size_t		size = 1000;

	for (size_t i = 0; i < page->entries; i++)
		size += page->entry[i]->json_len + 1;
	sb_text_reserve(into, size);
	sb_text_str(into, "[");
	for (size_t i = 0; i < page->entries; i++)
	{
		if (i > 0)
			sb_text_add(into, ",", 1);
		sb_text_add(into, sb_entry_json(page->entry[i]), page->entry[i]->json_len);
	}
	sb_text_str(into, "]");
}

/* Appends the pagination of a numbered page; `pages` names the member with the number of pages. */
void
sb_page_write_numbers(SbText *into, const SbPage *page, const SbCursor *own, const char *pages,
					  SbFaultKind fault)
{
	size_t		limit = (size_t) own->limit;
	const char *quote = fault == SB_FAULT_WRONG_TYPE ? "\"" : "";

	sb_text_str(into, "{");
	if (fault != SB_FAULT_NO_HAS_MORE)
		sb_text_printf(into, "\"total\":%s%zu%s,", quote, page->total, quote);
	sb_text_printf(into, "\"page\":%" PRId64 ",\"limit\":%zu", own->at, limit);
	if (fault != SB_FAULT_NO_NEXT)
		sb_text_printf(into, ",\"%s\":%zu", pages, (page->total + limit - 1) / limit);
	sb_text_str(into, "}");
}
