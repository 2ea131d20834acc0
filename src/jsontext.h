/*-------------------------------------------------------------------------
 *
 * jsontext.h
 *		JSON texts as they are, without a tree.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_JSONTEXT_H
#define DNC_JSONTEXT_H

extern const char *dnc_jsontext_problem(const char *text, size_t length);
extern const char *dnc_jsontext_begin(const char *text);
extern const char *dnc_jsontext_enter(const char *container);
extern const char *dnc_jsontext_value(const char *member);
extern const char *dnc_jsontext_next(const char *value);
extern char *dnc_jsontext_copy(const char *value);

#endif							/* DNC_JSONTEXT_H */
