/*-------------------------------------------------------------------------
 *
 * json_text.h
 *		JSON texts without a tree.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_JSON_TEXT_H
#define DNC_JSON_TEXT_H

/*
 * Strings at the top level of a text that is an object: the names of its members, and the
 * values that are strings.  A text with more strings keeps only its first ones here.
 */
typedef struct DncJsonOutline
{
	int			count;
	const char *strings[16];	/* point to the opening quotation marks */
} DncJsonOutline;

extern const char *dnc_json_text_problem(const char *text, size_t length, DncJsonOutline *outline);
extern const char *dnc_json_text_find(const DncJsonOutline *outline, const char *path);
extern const char *dnc_json_text_begin(const char *text);
extern const char *dnc_json_text_enter(const char *container);
extern const char *dnc_json_text_value(const char *member);
extern const char *dnc_json_text_next(const char *value);
extern char *dnc_json_text_copy(const char *value);

#endif							/* DNC_JSON_TEXT_H */
