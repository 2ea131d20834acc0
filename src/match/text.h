/*-------------------------------------------------------------------------
 *
 * text.h
 *		Texts of identifiers: white space, invisible characters, case, digits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_TEXT_H
#define DNC_TEXT_H

/*
 * The longest identifier that we look into, in bytes.  Emails have at most 320 bytes (RFC 5321
 * 4.5.3.1), URLs of profiles a few hundred.  There must be a limit, because the time for
 * normalisation grows with the square of a run of combining marks.
 */
#define DNC_TEXT_MAX 4096

/* The longest key, in bytes: a B-tree entry has room for 2,700. */
#define DNC_KEY_MAX 1024

/* Quotes of text processors, and the apostrophe that marks a spreadsheet's cell as text; then NULL. */
extern const char *const dnc_text_quotes[];

extern bool dnc_text_is_ascii(const char *text);
extern char *dnc_text_trim(const char *text);
extern char *dnc_text_strip(const char *text);
extern char *dnc_text_clean(const char *text);
extern char *dnc_text_lower(const char *text);
extern char *dnc_text_decode(const char *text, size_t length);
extern char *dnc_text_digits(const char *text);
extern char *dnc_text_join(const char *first, const char *second);
extern bool dnc_text_has_space(const char *text);
extern const char *dnc_text_past(const char *text, const char *prefix);
extern bool dnc_text_ends(const char *text, const char *ending);
extern char *dnc_text_hash(const char *text);
extern const char *dnc_text_unicode_version(void);

/* ASCII character classes, independent of the locale. */
static inline bool
dnc_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
dnc_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
dnc_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

#endif							/* DNC_TEXT_H */
