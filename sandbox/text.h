/*
 * text.h
 *		Memory that we get or else end the program, and growing strings.
 *
 * The sandbox puts together everything that it serves from pieces of text.  This file knows
 * nothing of HTTP or lists.
 */
#ifndef SB_TEXT_H
#define SB_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing string; once something was added, a NUL follows it that len does not count. */
typedef struct SbText
{
	char	   *data;
	size_t		len;
	size_t		room;
} SbText;

extern void *sb_alloc(size_t size);
extern void *sb_realloc(void *memory, size_t size);
extern char *sb_copy(const char *string, size_t len);

extern void sb_text_reserve(SbText *text, size_t more);
extern void sb_text_add(SbText *text, const void *bytes, size_t len);
extern void sb_text_str(SbText *text, const char *string);
extern void sb_text_printf(SbText *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
extern void sb_text_json(SbText *text, const char *string, size_t len);
extern void sb_text_member(SbText *text, const char *name, const char *string);
extern void sb_text_time(SbText *text, int64_t epoch_ms);
extern void sb_text_search(SbText *text, const char *string);
extern void sb_text_free(SbText *text);
extern bool sb_same_bytes(const char *a, const char *b, size_t len, bool fold);

/* An ASCII letter in lower case; any other character unchanged. */
static inline unsigned char
sb_fold(char c)
{
	return (unsigned char) (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

#endif							/* SB_TEXT_H */
