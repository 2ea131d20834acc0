/*-------------------------------------------------------------------------
 *
 * request.c
 *		Conditions and waiting writes as HTTP requests: query strings and
 *		JSON bodies, by what the provider's struct says.
 *
 * Bodies are written with PostgreSQL's own escape_json() into a StringInfo:
 * of a flat list of strings a tree would be a detour, and a StringInfo is on
 * a memory context.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "http.h"
#include "request.h"

/* A longer value is not worth a URL that a server may refuse; bytes. */
#define MAX_FILTER_VALUE 1024

/*
 * What every entry has in a column, where that can be told without asking:
 * the server's name, or what the provider's struct says; else NULL.
 */
static const char *
constant_of(const DncOptions *options, DncColumn column)
{
	const DncField *field;

	if (column == DNC_COL_SOURCE)
		return options->server_name;
	field = dnc_provider_field(options->provider, column);
	return field && field->name == NULL ? field->constant : NULL;
}

/* Does a condition on this column change what is asked for? */
bool
dnc_request_filters_on(const DncProvider *provider, DncColumn column)
{
	const DncField *field = dnc_provider_field(provider, column);

	if (column == DNC_COL_SOURCE || column == DNC_COL_IDENTIFIER_TYPE)
		return true;
	if (field && field->name == NULL)
		return true;
	for (int i = 0; i < provider->nfilters; i++)
	{
		if (provider->filters[i].column == column)
			return true;
	}
	return false;
}

/*
 * Can any entry of the list meet the conditions?  False only where none can,
 * whatever is on the list: then there is nothing to ask.
 */
bool
dnc_request_can_match(const DncOptions *options, const DncCondition *conditions, int count)
{
	for (int i = 0; i < count; i++)
	{
		const char *value = conditions[i].value;
		const char *constant = constant_of(options, conditions[i].column);

		if (conditions[i].placeholder)
			continue;
		if (value == NULL)
			return false;
		if (conditions[i].op != DNC_OP_EQ)
			continue;
		if (constant && strcmp(constant, value) != 0)
			return false;
		if (conditions[i].column == DNC_COL_IDENTIFIER_TYPE &&
			dnc_provider_lacks_type(options->provider, value))
			return false;
	}
	return true;
}

/*
 * Does a byte of a LIKE pattern stand for itself in whatever case?  ILIKE folds
 * case by the rules of a locale, which are not the remote's: so letters, and
 * what may be part of one, are left out of what is searched for.
 */
static bool
is_literal(char c, DncOp op)
{
	if (op == DNC_OP_LIKE)
		return true;
	return !IS_HIGHBIT_SET(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z');
}

/*
 * The longest piece of text that whatever matches a LIKE pattern has in it, or,
 * if prefix, begins with; palloc'd, and may be empty.
 */
static char *
like_piece(const char *pattern, DncOp op, bool prefix)
{
	StringInfoData piece;
	char	   *longest = "";

	initStringInfo(&piece);
	for (const char *c = pattern;; c++)
	{
		bool		escaped = *c == '\\' && c[1] != '\0';

		if (escaped)
			c++;
		if (*c != '\0' && (escaped || (*c != '%' && *c != '_')) && is_literal(*c, op))
		{
			appendStringInfoChar(&piece, *c);
			continue;
		}
		if ((size_t) piece.len > strlen(longest))
			longest = pstrdup(piece.data);
		if (*c == '\0' || prefix)
			return longest;
		resetStringInfo(&piece);
	}
}

/*
 * What is sent for a condition; NULL: nothing can be.  It can only where the
 * remote filter cannot lose an entry that the condition keeps.
 */
static const char *
value_to_send(const DncOptions *options, const DncCondition *condition)
{
	const char *value = condition->value;

	if (condition->placeholder || condition->column == DNC_COL_SEARCH)
		return value;			/* a search is whatever the API makes of it */
	if (condition->column == DNC_COL_IDENTIFIER_TYPE)
		return dnc_provider_has_type(options->provider, value) ? value : NULL;
	if (condition->op != DNC_OP_EQ)
		value = like_piece(value, condition->op, options->search_match == DNC_SEARCH_PREFIX);
	return value[0] != '\0' && strlen(value) <= MAX_FILTER_VALUE ? value : NULL;
}

/* Append "&name=value", percent-encoded. */
static void
append_parameter(StringInfo target, const char *name, const char *value, bool verbatim)
{
	appendStringInfo(target, "&%s=%s", name,
					 verbatim ? value
					 : dnc_http_escape(pg_server_to_any(value, strlen(value), PG_UTF8)));
}

/* The condition that goes with a filter of the provider; NULL: none. */
static const DncCondition *
condition_for(const DncOptions *options, const DncFilter *filter,
			  const DncCondition *conditions, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (conditions[i].column == filter->column && value_to_send(options, &conditions[i]))
			return &conditions[i];
	}
	return NULL;
}

/* Has one of the filters in front of this one taken its parameter? */
static bool
parameter_taken(const DncProvider *provider, int filter, const bool *used)
{
	for (int i = 0; i < filter; i++)
	{
		if (used[i] && strcmp(provider->filters[i].parameter,
							  provider->filters[filter].parameter) == 0)
			return true;
	}
	return false;
}

/*
 * The part of a list request's query that narrows it, with a & in front of each
 * parameter; palloc'd.
 */
char *
dnc_request_filters(const DncOptions *options, const DncCondition *conditions, int count)
{
	const DncProvider *provider = options->provider;
	bool	   *used = palloc0(sizeof(bool) * (provider->nfilters + 1));
	StringInfoData filters;

	initStringInfo(&filters);
	for (int i = 0; i < provider->nfilters; i++)
	{
		const DncFilter *filter = &provider->filters[i];
		const DncCondition *condition = condition_for(options, filter, conditions, count);

		if (condition == NULL || parameter_taken(provider, i, used))
			continue;
		used[i] = true;
		append_parameter(&filters, filter->parameter, value_to_send(options, condition),
						 condition->placeholder);
	}
	return filters.data;
}

/*
 * Path and query of a list request: page size, filters, and the parameter that
 * says which page, unless NULL (its value is UTF-8); palloc'd.
 */
char *
dnc_request_list_target(const DncOptions *options, int limit, const char *filters,
						const char *parameter, const char *value)
{
	const DncListCall *list = &options->provider->list;
	StringInfoData target;

	initStringInfo(&target);
	appendStringInfo(&target, "%s?%s=%d%s", list->path, list->limit_parameter, limit, filters);
	if (parameter)
		appendStringInfo(&target, "&%s=%s", parameter, dnc_http_escape(value));
	return target.data;
}

/* Append a text as a JSON string. */
static void
append_json_string(StringInfo body, const char *value)
{
	escape_json(body, pg_server_to_any(value, strlen(value), PG_UTF8));
}

/* Append an entry as an object of the members that it has a value for. */
static void
append_json_entry(StringInfo body, const DncWriteCall *write, DncMemberValues values)
{
	bool		first = true;

	appendStringInfoChar(body, '{');
	for (int i = 0; write->members[i].name; i++)
	{
		if (values[i] == NULL)
			continue;
		appendStringInfo(body, "%s\"%s\":", first ? "" : ",", write->members[i].name);
		append_json_string(body, values[i]);
		first = false;
	}
	appendStringInfoChar(body, '}');
}

/* The body of a write request. */
static void
make_write_body(const DncOptions *options, const DncWriteCall *write, DncMemberValues *entries,
				int count, StringInfo body)
{
	if (write->list == NULL)
	{
		append_json_entry(body, write, entries[0]);
		return;
	}
	appendStringInfo(body, "{\"%s\":[", write->list);
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			appendStringInfoChar(body, ',');
		if (write->bare)
			append_json_string(body, entries[i][0]);
		else
			append_json_entry(body, write, entries[i]);
	}
	appendStringInfoChar(body, ']');
	if (write == &options->provider->add && options->provider->append_add_options)
		options->provider->append_add_options(body, options);
	appendStringInfoChar(body, '}');
}

/*
 * The request that adds or removes some entries, up to the call's batch, in
 * *request.  What it points to is palloc'd in the current context.
 */
void
dnc_request_write(const DncOptions *options, const DncWriteCall *write, DncMemberValues *entries,
				  int count, DncRequest *request)
{
	const char *slot = strstr(write->path, "{}");
	StringInfoData body;

	Assert(count > 0 && count <= write->batch);
	memset(request, 0, sizeof(*request));
	request->method = write->method;
	request->path = write->path;
	request->repeatable = write->repeatable;
	request->accepted_status = write->unchanged_status;
	if (slot)
	{
		/* The entry is named by the path, and there is no body. */
		request->target = psprintf("%.*s%s%s", (int) (slot - write->path), write->path,
								   dnc_http_escape(pg_server_to_any(entries[0][0],
																	strlen(entries[0][0]), PG_UTF8)),
								   slot + 2);
		return;
	}
	initStringInfo(&body);
	make_write_body(options, write, entries, count, &body);
	request->target = write->path;
	request->body = body.data;
	request->body_length = body.len;
}
