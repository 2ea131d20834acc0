/*
 * alta_list.c
 *		Alta's list request: its parameters, pages and cursors.
 *
 * A page is put together from finished pieces.  Cursors are bound to the filters and the page
 * size of the query that they were issued for.  The faults that are in the meaning of a page are
 * here.
 */
#include "alta.h"

#include <inttypes.h>
#include <string.h>

#include "cursor.h"
#include "drift.h"
#include "encode.h"

#define DEFAULT_LIMIT 10
#define MAX_LIMIT 100

/* What a list request asks for; the strings belong to the query. */
typedef struct AltaList
{
	int64_t		limit;
	SbFilter	filter;
	uint64_t	filters;		/* hash of the filter, as in cursors */
	bool		has_cursor;
	SbCursor	cursor;
} AltaList;

/* One page. */
typedef struct AltaPage
{
	SbEntry    *entry[MAX_LIMIT];
	size_t		entries;
	bool		has_more;
	bool		has_previous;
	SbCursor	next;			/* good also if there is nothing more */
	SbCursor	previous;
} AltaPage;

/* Takes over one parameter; false, with the problem, if it will not do. */
static bool
take_param(AltaList *list, const SbParam *param, SbText *problem)
{
	if (strcmp(param->name, "limit") == 0)
	{
		if (sb_parse_integer(param->value, 1, MAX_LIMIT, &list->limit))
			return true;
		sb_text_printf(problem, "limit must be an integer from 1 to %d", MAX_LIMIT);
	}
	else if (strcmp(param->name, "cursor") == 0)
	{
		list->has_cursor = true;
		if (sb_cursor_read(param->value, &list->cursor))
			return true;
		sb_text_str(problem, "cursor is not valid");
	}
	else if (strcmp(param->name, "identifierType") == 0)
	{
		list->filter.type = sb_api_type(&sb_alta, param->value);
		if (list->filter.type >= 0)
			return true;
		sb_text_str(problem, "identifierType must be one of ");
		sb_api_type_list(&sb_alta, problem);
	}
	else if (strcmp(param->name, "search") == 0)
	{
		list->filter.search = param->value_len == 0 ? NULL : param->value;
		list->filter.search_len = param->value_len;
		return true;
	}
	else
		sb_text_printf(problem, "%.100s is not a known query parameter", param->name);
	return false;
}

/* Reads a list request's parameters; false, with the problem, if they will not do. */
static bool
take_list(AltaList *list, const SbConfig *config, const SbQuery *query, SbText *problem)
{
	list->limit = DEFAULT_LIMIT;
	list->filter.type = SB_ANY_TYPE;
	list->filter.match = (SbMatch) config->search;
	list->filter.fold = config->search_case != 0;
	for (int i = 0; i < query->params; i++)
		if (!take_param(list, &query->param[i], problem))
			return false;

	list->filters = sb_hash((uint64_t) (list->filter.type + 1), list->filter.search,
							list->filter.search_len);
	if (!list->has_cursor)
		return true;
	if (list->cursor.filters != list->filters)
		sb_text_str(problem, "cursor was issued for other filters "
					"(identifierType, search) than this request's");
	else if (list->cursor.limit != list->limit)
		sb_text_printf(problem, "cursor was issued for limit %" PRId64
					   ", this request has limit %" PRId64, list->cursor.limit, list->limit);
	return problem->len == 0;
}

/* Finds the page of a page number. */
static void
find_by_number(AltaPage *page, const AltaList *list, const SbView *view, int64_t number)
{
	size_t		limit = (size_t) list->limit;
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
find_by_position(AltaPage *page, const AltaList *list, const SbView *view,
				 SbCursorKind kind, int64_t at)
{
	size_t		limit = (size_t) list->limit;
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

/* Finds the page that a request asks for. */
static void
find_page(AltaPage *page, const AltaList *list, const SbView *view, SbCursors cursors)
{
	if (list->has_cursor && list->cursor.kind != SB_CURSOR_PAGE)
		find_by_position(page, list, view, list->cursor.kind, list->cursor.at);
	else if (list->has_cursor)
		find_by_number(page, list, view, list->cursor.at);
	else if (cursors == SB_CURSORS_KEYSET)
		find_by_position(page, list, view, SB_CURSOR_AFTER, INT64_MIN);
	else
		find_by_number(page, list, view, 1);
	page->next.limit = page->previous.limit = list->limit;
	page->next.filters = page->previous.filters = list->filters;
}

/* A cursor for the page that the request itself asks for. */
static SbCursor
own_cursor(const AltaList *list, SbCursors cursors)
{
	SbCursor	cursor = {SB_CURSOR_PAGE, 1, list->limit, list->filters};

	if (list->has_cursor)
		return list->cursor;
	if (cursors == SB_CURSORS_KEYSET)
	{
		cursor.kind = SB_CURSOR_AFTER;
		cursor.at = INT64_MIN;
	}
	return cursor;
}

/* Spoils a page as a fault wants it; whatever is claimed, next is there to be followed. */
static void
spoil_page(AltaPage *page, SbFaultKind fault, SbCursor own)
{
	if (fault == SB_FAULT_EMPTY_PAGE)
		page->entries = 0;
	if (fault == SB_FAULT_REPEAT_CURSOR)
		page->next = own;
	if (fault == SB_FAULT_EMPTY_PAGE || fault == SB_FAULT_REPEAT_CURSOR ||
		fault == SB_FAULT_NO_NEXT)
		page->has_more = true;
}

/* Appends a member that is a cursor. */
static void
write_cursor(SbText *into, const char *name, const SbCursor *cursor)
{
	sb_text_printf(into, ",\"%s\":\"", name);
	sb_cursor_write(into, cursor);
	sb_text_str(into, "\"");
}

/* Writes a page's JSON. */
static void
write_page(SbText *into, const AltaPage *page, SbFaultKind fault)
{
	const char *quote = fault == SB_FAULT_WRONG_TYPE ? "\"" : "";
	size_t		size = 1000;

	for (size_t i = 0; i < page->entries; i++)
		size += page->entry[i]->json_len + 1;
	sb_text_reserve(into, size);
	sb_text_str(into, "{\"data\":[");
	for (size_t i = 0; i < page->entries; i++)
	{
		if (i > 0)
			sb_text_add(into, ",", 1);
		sb_text_add(into, page->entry[i]->bytes, page->entry[i]->json_len);
	}
	sb_text_str(into, "]");
	if (fault != SB_FAULT_NO_HAS_MORE)
		sb_text_printf(into, ",\"hasMore\":%s%s%s", quote, page->has_more ? "true" : "false",
					   quote);
	if (page->has_more && fault != SB_FAULT_NO_NEXT)
		write_cursor(into, "next", &page->next);
	if (page->has_previous)
		write_cursor(into, "previous", &page->previous);
	sb_text_str(into, "}");
}

/* GET: answers with a page of the list; afterwards the list drifts if there are more. */
void
sb_alta_list(SbCall *call)
{
	SbAccount  *account = call->account;
	SbAnswer   *answer = &call->req->answer;
	SbCursors	cursors = (SbCursors) account->config.cursors;
	AltaList	list = {0};
	SbText		problem = {0};
	SbQuery		query;

	if (sb_query_parse(&query, call->req->query, &problem) &&
		take_list(&list, &account->config, &query, &problem))
	{
		SbView		view = sb_view_open(&account->views, &account->list, &list.filter);
		AltaPage	page = {0};
		bool		has_more;

		find_page(&page, &list, &view, cursors);
		has_more = page.has_more;
		spoil_page(&page, call->fault, own_cursor(&list, cursors));
		sb_answer_set(answer, 200, "application/json");
		write_page(&answer->body, &page, call->fault);
		call->entries = (int64_t) page.entries;
		if (has_more)
			sb_drift(account);
	}
	else
		sb_alta_error(answer, 400, problem.data);
	sb_query_free(&query);
	sb_text_free(&problem);
}
