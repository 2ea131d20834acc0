/*
 * alta_list.c
 *		Alta's list request: its parameters, pages and cursors.
 *
 * We put a page together from finished pieces.  A cursor is bound to the filters and the page
 * size of its query.
 */
#include "alta_list.h"

#include <inttypes.h>
#include <string.h>

#include "alta_entry.h"
#include "drift.h"
#include "encode.h"
#include "page.h"

#define DEFAULT_LIMIT 10
#define MAX_LIMIT 100

/* The contents of a list request; the strings belong to the query. */
typedef struct AltaList
{
	int64_t		limit;
	SbFilter	filter;
	uint64_t	filters;		/* hash of the filter, as in cursors */
	bool		has_cursor;
	SbCursor	cursor;
} AltaList;

/* Takes one parameter; false, with the problem, if it is invalid. */
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
		list->filter.type = sb_api_type(sb_alta_types, param->value);
		if (list->filter.type >= 0)
			return true;
		sb_text_str(problem, "identifierType must be one of ");
		sb_api_type_list(sb_alta_types, problem);
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

/* Reads a list request's parameters; false, with the problem, if they are invalid. */
static bool
take_list(AltaList *list, const SbConfig *config, const SbQuery *query, SbText *problem)
{
	list->limit = DEFAULT_LIMIT;
	list->filter.type = SB_ANY_TYPE;
	list->filter.match = (SbMatch) config->search;
	list->filter.fold = config->search_case != 0;
	list->filter.loose = config->type_filter != 0;
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
write_page(SbText *into, const SbPage *page, bool tells_previous, SbFaultKind fault)
{
	const char *quote = fault == SB_FAULT_WRONG_TYPE ? "\"" : "";

	sb_text_str(into, "{\"data\":");
	sb_page_write_entries(into, page);
	if (fault != SB_FAULT_NO_HAS_MORE)
		sb_text_printf(into, ",\"hasMore\":%s%s%s", quote, page->has_more ? "true" : "false",
					   quote);
	if (page->has_more && fault != SB_FAULT_NO_NEXT)
		write_cursor(into, "next", &page->next);
	if (page->has_previous && tells_previous)
		write_cursor(into, "previous", &page->previous);
	sb_text_str(into, "}");
}

/* GET: answers with a page of the list; afterwards the list drifts if there are more. */
void
sb_alta_list(SbCall *call)
{
	SbAccount  *account = call->account;
	SbAnswer   *answer = &call->req->answer;
	AltaList	list = {0};
	SbText		problem = {0};
	SbQuery		query;

	if (sb_query_parse(&query, call->req->query, &problem) &&
		take_list(&list, &account->config, &query, &problem) &&
		sb_account_use_cursor(account, &query, &problem))
	{
		SbView		view = sb_view_open(&account->views, &account->list, &list.filter);
		SbCursor	own = list.has_cursor ? list.cursor :
			sb_page_first((SbCursors) account->config.cursors, list.limit, list.filters);
		SbPage		page;
		bool		has_more;

		sb_page_find(&page, &view, &own);
		has_more = page.has_more;
		sb_page_spoil(&page, call->fault, &own);
		sb_answer_set(answer, 200, "application/json");
		write_page(&answer->body, &page, account->config.previous == 0, call->fault);
		call->entries = (int64_t) page.entries;
		if (has_more)
			sb_drift(account);
	}
	else
		sb_alta_error(answer, 400, problem.data);
	sb_query_free(&query);
	sb_text_free(&problem);
}
