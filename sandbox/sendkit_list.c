/*
 * sendkit_list.c
 *		SendKit's list request, in the newer generation (cursors) and the older (page numbers).
 */
#include "sendkit_list.h"

#include <inttypes.h>
#include <string.h>

#include "drift.h"
#include "encode.h"
#include "page.h"
#include "sendkit_entry.h"

#define DEFAULT_LIMIT 25
#define MAX_LIMIT 100

/* The contents of a list request. */
typedef struct SendkitList
{
	SbGeneration generation;
	int64_t		limit;			/* entries that we give, perhaps fewer than the client asked for */
	SbFilter	filter;
	bool		has_cursor;
	SbCursor	own;			/* cursor of the page to give */
} SendkitList;

/* Takes one parameter; false, with the problem, if it is invalid. */
static bool
take_param(SendkitList *list, const SbParam *param, SbText *problem)
{
	bool		old = list->generation == SB_GENERATION_OLD;

	if (strcmp(param->name, "limit") == 0)
	{
		if (sb_parse_integer(param->value, 1, MAX_LIMIT, &list->limit))
			return true;
		sb_text_printf(problem, "limit must be an integer from 1 to %d", MAX_LIMIT);
	}
	else if (strcmp(param->name, "type") == 0)
	{
		list->filter.type = sb_api_type(sb_sendkit_types, param->value);
		if (list->filter.type >= 0)
			return true;
		sb_text_str(problem, "type must be one of ");
		sb_api_type_list(sb_sendkit_types, problem);
	}
	else if (strcmp(param->name, "cursor") == 0 && !old)
	{
		list->has_cursor = true;
		if (sb_cursor_read(param->value, &list->own))
			return true;
		sb_text_str(problem, "cursor is not valid");
	}
	else if (strcmp(param->name, "page") == 0 && old)
	{
		if (sb_parse_integer(param->value, 1, INT64_MAX, &list->own.at))
			return true;
		sb_text_str(problem, "page must be an integer, 1 or more");
	}
	else
		sb_text_printf(problem, "%.100s is not a known query parameter", param->name);
	return false;
}

/* Checks that a cursor fits the rest of the request; false with the problem. */
static bool
check_cursor(const SendkitList *list, uint64_t filters, SbText *problem)
{
	if (list->own.filters != filters)
		sb_text_str(problem, "cursor was issued for another type than this request's");
	else if (list->own.kind == SB_CURSOR_PAGE && list->own.limit != list->limit)
		sb_text_printf(problem, "cursor was issued for limit %" PRId64
					   ", this request has limit %" PRId64, list->own.limit, list->limit);
	return problem->len == 0;
}

/* Reads a list request's parameters; false, with the problem, if they are invalid. */
static bool
take_list(SendkitList *list, const SbConfig *config, const SbQuery *query, SbText *problem)
{
	uint64_t	filters;

	list->generation = (SbGeneration) config->generation;
	list->limit = DEFAULT_LIMIT;
	list->filter.type = SB_ANY_TYPE;
	list->filter.loose = config->type_filter != 0;
	list->own = sb_page_first(SB_CURSORS_PAGE, 0, 0);
	for (int i = 0; i < query->params; i++)
		if (!take_param(list, &query->param[i], problem))
			return false;

	if (list->limit > config->max_limit)
		list->limit = config->max_limit;
	filters = sb_hash((uint64_t) (list->filter.type + 1), NULL, 0);
	if (list->has_cursor && !check_cursor(list, filters, problem))
		return false;
	if (list->generation == SB_GENERATION_NEW && !list->has_cursor)
		list->own = sb_page_first((SbCursors) config->cursors, list->limit, filters);
	list->own.limit = list->limit;
	return true;
}

/* Appends the pagination of the newer generation. */
static void
write_cursors(SbText *into, const SbPage *page, int64_t limit, SbFaultKind fault)
{
	const char *quote = fault == SB_FAULT_WRONG_TYPE ? "\"" : "";

	sb_text_printf(into, "{\"limit\":%" PRId64 ",\"total\":%s%zu%s", limit, quote, page->total,
				   quote);
	if (fault != SB_FAULT_NO_HAS_MORE)
		sb_text_printf(into, ",\"hasMore\":%s", page->has_more ? "true" : "false");
	if (page->has_more && fault != SB_FAULT_NO_NEXT)
	{
		sb_text_str(into, ",\"nextCursor\":\"");
		sb_cursor_write(into, &page->next);
		sb_text_str(into, "\"}");
	}
	else
		sb_text_str(into, ",\"nextCursor\":null}");
}

/* Answers with the page that a request asks for; returns whether there are more. */
static bool
answer_page(SbCall *call, const SendkitList *list)
{
	SbAccount  *account = call->account;
	SbText	   *body = &call->req->answer.body;
	bool		old = list->generation == SB_GENERATION_OLD;
	SbView		view = sb_view_open(&account->views, &account->list, &list->filter);
	SbCursor	own = old ? sb_page_repeated(list->own, call->fault) : list->own;
	SbPage		page;
	bool		has_more;

	sb_page_find(&page, &view, &own);
	has_more = page.has_more;
	sb_page_spoil(&page, call->fault, &own);
	sb_answer_set(&call->req->answer, 200, "application/json");
	sb_text_str(body, "{\"success\":true,\"data\":");
	sb_page_write_entries(body, &page);
	sb_text_str(body, ",\"pagination\":");
	if (old)
		sb_page_write_numbers(body, &page, &own, "pages", call->fault);
	else
		write_cursors(body, &page, own.limit, call->fault);
	sb_text_str(body, "}");
	call->entries = (int64_t) page.entries;
	return has_more;
}

/* GET: answers with a page of the list; afterwards the list drifts if there are more. */
void
sb_sendkit_list(SbCall *call)
{
	SendkitList list = {.limit = 0};
	SbText		problem = {0};
	SbQuery		query;

	if (sb_query_parse(&query, call->req->query, &problem) &&
		take_list(&list, &call->account->config, &query, &problem) &&
		sb_account_use_cursor(call->account, &query, &problem))
	{
		if (answer_page(call, &list))
			sb_drift(call->account);
	}
	else
		sb_sendkit_error(&call->req->answer, 400, problem.data);
	sb_query_free(&query);
	sb_text_free(&problem);
}
