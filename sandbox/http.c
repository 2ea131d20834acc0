/*
 * http.c
 *		Looking up a request's headers, filling in answers and reading query strings.
 */
#include "http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"

static const struct
{
	int			status;
	const char *text;
}			texts[] = {
	{400, "Bad request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not found"},
	{405, "Method not allowed"},
	{408, "Request timeout"},
	{409, "Conflict"},
	{413, "Payload too large"},
	{429, "Too many requests"},
	{500, "Internal server error"},
	{502, "Bad gateway"},
	{503, "Service unavailable"},
	{504, "Gateway timeout"}
};

#define TEXTS (sizeof(texts) / sizeof(texts[0]))

/* The meaning of an error's status, for vendors without words of their own. */
const char *
sb_status_text(int status)
{
	for (size_t i = 0; i < TEXTS; i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "The request failed";
}

/* The value of a request's header; NULL if there is no such header. */
const char *
sb_request_header(const SbRequest *req, const char *name)
{
	return MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, name);
}

/* Begins the answer: status and content type, an empty body.  Headers stay. */
void
sb_answer_set(SbAnswer *answer, int status, const char *content_type)
{
	answer->status = status;
	answer->content_type = content_type;
	sb_text_free(&answer->body);
}

/* Makes the answer a line of plain text. */
void
sb_answer_text(SbAnswer *answer, int status, const char *format, ...)
{
	va_list		args;
	char	   *line;
	int			len;

	sb_answer_set(answer, status, "text/plain; charset=utf-8");
	va_start(args, format);
	len = vasprintf(&line, format, args);
	va_end(args);
	if (len < 0)
		return;
	sb_text_add(&answer->body, line, (size_t) len);
	sb_text_str(&answer->body, "\n");
	free(line);
}

/* Adds a header; the name must be a literal. */
void
sb_answer_header(SbAnswer *answer, const char *name, const char *format, ...)
{
	va_list		args;
	char	   *value;
	int			len;

	if (answer->headers == SB_MAX_HEADERS)
		return;
	va_start(args, format);
	len = vasprintf(&value, format, args);
	va_end(args);
	if (len < 0)
		return;
	answer->header[answer->headers].name = name;
	answer->header[answer->headers].value = value;
	answer->headers++;
}

/* Frees an answer's memory. */
void
sb_answer_clear(SbAnswer *answer)
{
	for (int i = 0; i < answer->headers; i++)
		free(answer->header[i].value);
	answer->headers = 0;
	sb_text_free(&answer->body);
}

/* A decoded copy of one piece of a query string; NULL if the piece is malformed. */
static char *
decode_piece(const char *from, size_t len, size_t *decoded_len)
{
	SbText		text = {0};

	if (!sb_percent_decode(&text, from, len) || !sb_utf8_valid(text.data, text.len))
	{
		sb_text_free(&text);
		return NULL;
	}
	*decoded_len = text.len;
	return text.data;
}

/* Adds one name=value to the query; false, with the problem, if it is invalid. */
static bool
add_param(SbQuery *query, const char *piece, size_t len, SbText *problem)
{
	SbParam    *param = &query->param[query->params];
	const char *equals = memchr(piece, '=', len);
	size_t		name_len = equals == NULL ? len : (size_t) (equals - piece);
	size_t		value_at = equals == NULL ? len : name_len + 1;

	if (query->params == SB_MAX_PARAMS)
	{
		sb_text_printf(problem, "more than %d query parameters", SB_MAX_PARAMS);
		return false;
	}
	param->name = decode_piece(piece, name_len, &param->value_len);
	param->value = decode_piece(piece + value_at, len - value_at, &param->value_len);
	query->params++;
	if (param->name == NULL || param->value == NULL)
	{
		sb_text_str(problem, "the query string is not percent-encoded UTF-8");
		return false;
	}
	if (sb_query_get(query, param->name) != param)
	{
		sb_text_printf(problem, "parameter %.100s is given twice", param->name);
		return false;
	}
	return true;
}

/*
 * Reads a query string (without the question mark).  False, with the problem, if it is
 * malformed or gives a parameter twice.  The caller must free the query in either case.
 */
bool
sb_query_parse(SbQuery *query, const char *string, SbText *problem)
{
	memset(query, 0, sizeof(*query));
	while (*string != '\0')
	{
		size_t		len = strcspn(string, "&");

		if (len > 0 && !add_param(query, string, len, problem))
			return false;
		string += len;
		string += *string == '&';
	}
	return true;
}

/* The (first) parameter with that name; NULL if it is not given. */
const SbParam *
sb_query_get(const SbQuery *query, const char *name)
{
	for (int i = 0; i < query->params; i++)
		if (query->param[i].name != NULL && strcmp(query->param[i].name, name) == 0)
			return &query->param[i];
	return NULL;
}

/* Frees a query's memory. */
void
sb_query_free(SbQuery *query)
{
	for (int i = 0; i < query->params; i++)
	{
		free(query->param[i].name);
		free(query->param[i].value);
	}
	query->params = 0;
}

/* Reads a decimal integer in range, with nothing before or behind it. */
bool
sb_parse_integer(const char *string, int64_t min, int64_t max, int64_t *value)
{
	char	   *end;

	if (string[string[0] == '-'] < '0' || string[string[0] == '-'] > '9')
		return false;
	errno = 0;
	*value = strtoll(string, &end, 10);
	return errno == 0 && *end == '\0' && *value >= min && *value <= max;
}
