/*
 * text.c
 *		Memory that we get or else end the program, and growing strings.
 *
 * A sandbox without memory cannot continue in a useful way.  So no caller has to check.
 */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Ends the program: there is no memory. */
static void
out_of_memory(void)
{
	fputs("dnc_sandbox: out of memory\n", stderr);
	exit(1);
}

/* Zeroed memory of size bytes, for free(). */
void *
sb_alloc(size_t size)
{
	void	   *memory = calloc(1, size > 0 ? size : 1);

	if (memory == NULL)
		out_of_memory();
	return memory;
}

/* As realloc(), but never NULL; new bytes are not zeroed. */
void *
sb_realloc(void *memory, size_t size)
{
	memory = realloc(memory, size > 0 ? size : 1);
	if (memory == NULL)
		out_of_memory();
	return memory;
}

/* A NUL-terminated copy of len bytes, for free(). */
char *
sb_copy(const char *string, size_t len)
{
	char	   *copy = sb_alloc(len + 1);

	memcpy(copy, string, len);
	return copy;
}

/* Makes room for `more` further bytes and a NUL. */
void
sb_text_reserve(SbText *text, size_t more)
{
	size_t		need = text->len + more + 1;

	if (need <= text->room)
		return;
	if (need < text->room * 2)
		need = text->room * 2;
	text->data = sb_realloc(text->data, need);
	text->room = need;
}

/* Appends len bytes. */
void
sb_text_add(SbText *text, const void *bytes, size_t len)
{
	sb_text_reserve(text, len);
	if (len > 0)
		memcpy(text->data + text->len, bytes, len);
	text->len += len;
	text->data[text->len] = '\0';
}

/* Appends a NUL-terminated string. */
void
sb_text_str(SbText *text, const char *string)
{
	sb_text_add(text, string, strlen(string));
}

/* Appends the output of printf. */
void
sb_text_printf(SbText *text, const char *format, ...)
{
	va_list		args;
	int			len;

	sb_text_reserve(text, 100);
	va_start(args, format);
	len = vsnprintf(text->data + text->len, text->room - text->len, format, args);
	va_end(args);
	if (len < 0)
		out_of_memory();
	if ((size_t) len >= text->room - text->len)
	{
		sb_text_reserve(text, (size_t) len);
		va_start(args, format);
		vsnprintf(text->data + text->len, text->room - text->len, format, args);
		va_end(args);
	}
	text->len += (size_t) len;
}

/* Appends len bytes of UTF-8 as a JSON string, quotes included. */
void
sb_text_json(SbText *text, const char *string, size_t len)
{
	size_t		from = 0;

	sb_text_add(text, "\"", 1);
	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) string[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		sb_text_add(text, string + from, i - from);
		if (c < 0x20)
			sb_text_printf(text, "\\u%04x", c);
		else
			sb_text_printf(text, "\\%c", c);
		from = i + 1;
	}
	sb_text_add(text, string + from, len - from);
	sb_text_add(text, "\"", 1);
}

/* Appends a string as a further member of a JSON object; nothing if it is NULL. */
void
sb_text_member(SbText *text, const char *name, const char *string)
{
	if (string == NULL)
		return;
	sb_text_printf(text, ",\"%s\":", name);
	sb_text_json(text, string, strlen(string));
}

/* Appends a time, milliseconds since 1970, as RFC 3339 with milliseconds and Z. */
void
sb_text_time(SbText *text, int64_t epoch_ms)
{
	time_t		seconds = (time_t) (epoch_ms / 1000);
	struct tm	part;

	gmtime_r(&seconds, &part);
	sb_text_printf(text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", part.tm_year + 1900,
				   part.tm_mon + 1, part.tm_mday, part.tm_hour, part.tm_min, part.tm_sec,
				   (int) (epoch_ms % 1000));
}

/*
 * Appends a string to the text that a search compares: ASCII letters in lower case, and a NUL
 * that keeps a search from matching across two strings.
 */
void
sb_text_search(SbText *text, const char *string)
{
	sb_text_reserve(text, strlen(string) + 1);
	for (; *string != '\0'; string++)
		text->data[text->len++] = (char) sb_fold(*string);
	text->data[text->len++] = '\0';
	text->data[text->len] = '\0';
}

/* Frees the text's memory and makes the text empty. */
void
sb_text_free(SbText *text)
{
	free(text->data);
	memset(text, 0, sizeof(*text));
}

/* Whether len bytes are equal, with or without regard to ASCII case. */
bool
sb_same_bytes(const char *a, const char *b, size_t len, bool fold)
{
	if (!fold)
		return memcmp(a, b, len) == 0;
	for (size_t i = 0; i < len; i++)
		if (sb_fold(a[i]) != sb_fold(b[i]))
			return false;
	return true;
}
