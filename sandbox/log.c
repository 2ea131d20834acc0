/*
 * log.c
 *		The requests to an account, in order of arrival.
 *
 * Memory is bounded: beyond a number of lines or bytes we drop the oldest lines (and count them),
 * so a benchmark may run for hours.  We never keep headers, because one of them holds the token.
 */
#include "log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"

#define MAX_LINES 200000
#define MAX_BYTES ((size_t) 128 << 20)

/* The line with that number; NULL if it is gone. */
static SbLogLine *
find_line(const SbLog *log, uint64_t number)
{
	if (number < log->first || number >= log->next)
		return NULL;
	return &log->line[number & (log->room - 1)];
}

/* Drops the oldest line. */
static void
drop_first(SbLog *log)
{
	SbLogLine  *line = find_line(log, log->first);

	log->bytes -= strlen(line->request) + line->body_len;
	free(line->request);
	free(line->body);
	log->first++;
}

/* Drops old lines until the log is within its bounds; the newest line always stays. */
static void
keep_bounds(SbLog *log)
{
	while (log->next - log->first > 1 &&
		   (log->next - log->first > MAX_LINES || log->bytes > MAX_BYTES))
	{
		drop_first(log);
		log->dropped++;
	}
}

/* Doubles a full ring; lines keep their numbers. */
static void
grow(SbLog *log)
{
	size_t		room = log->room == 0 ? 64 : log->room * 2;
	SbLogLine  *line;

	if (log->next - log->first < log->room)
		return;
	line = sb_alloc(room * sizeof(SbLogLine));
	for (uint64_t i = log->first; i < log->next; i++)
		line[i & (room - 1)] = log->line[i & (log->room - 1)];
	free(log->line);
	log->line = line;
	log->room = room;
}

/* Adds a line for a request that arrived; returns its number. */
uint64_t
sb_log_open(SbLog *log, const char *method, const char *target, int64_t now_ms)
{
	SbLogLine  *line;
	size_t		method_len = strlen(method);
	size_t		target_len = strlen(target);

	grow(log);
	line = &log->line[log->next & (log->room - 1)];
	memset(line, 0, sizeof(*line));
	line->request = sb_alloc(method_len + 1 + target_len + 1);
	memcpy(line->request, method, method_len);
	line->request[method_len] = ' ';
	memcpy(line->request + method_len + 1, target, target_len);
	line->entries = -1;
	line->arrived_ms = now_ms;
	log->bytes += method_len + 1 + target_len;
	log->next++;
	keep_bounds(log);
	return log->next - 1;
}

/* Moves the body of a request to its line; leaves the text empty. */
void
sb_log_body(SbLog *log, uint64_t number, SbText *body)
{
	SbLogLine  *line = find_line(log, number);

	if (line == NULL || body->len == 0)
		return;
	line->body = body->data;
	line->body_len = body->len;
	log->bytes += body->len;
	memset(body, 0, sizeof(*body));
	keep_bounds(log);
}

/* Notes how many entries a request returned, added or deleted. */
void
sb_log_entries(SbLog *log, uint64_t number, int64_t entries)
{
	SbLogLine  *line = find_line(log, number);

	if (line != NULL)
		line->entries = entries;
}

/* Notes the status of an answer that goes out now. */
void
sb_log_status(SbLog *log, uint64_t number, int status, int64_t now_ms)
{
	SbLogLine  *line = find_line(log, number);

	if (line == NULL)
		return;
	line->status = status;
	line->answered_ms = now_ms;
}

/* Appends the log as text, with a line for each request. */
void
sb_log_print(const SbLog *log, SbText *into, bool bodies, bool times)
{
	for (uint64_t i = log->first; i < log->next; i++)
	{
		const SbLogLine *line = find_line(log, i);

		if (times && line->status != 0)
			sb_text_printf(into, "%" PRId64 " %" PRId64 " ", line->arrived_ms,
						   line->answered_ms);
		else if (times)
			sb_text_printf(into, "%" PRId64 " - ", line->arrived_ms);
		sb_text_str(into, line->request);
		if (line->status != 0)
			sb_text_printf(into, " %d", line->status);
		else
			sb_text_str(into, " -");
		if (line->entries >= 0)
			sb_text_printf(into, " entries=%" PRId64, line->entries);
		if (bodies && line->body != NULL)
		{
			sb_text_str(into, " ");
			sb_json_minify(into, line->body, line->body_len);
		}
		sb_text_str(into, "\n");
	}
}

/* Empties the log and frees its memory; numbers go on. */
void
sb_log_clear(SbLog *log)
{
	uint64_t	next = log->next;

	while (log->first < log->next)
		drop_first(log);
	free(log->line);
	memset(log, 0, sizeof(*log));
	log->first = log->next = next;
}
