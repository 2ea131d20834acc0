/*-------------------------------------------------------------------------
 *
 * text_set.h
 *		A set of texts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_TEXT_SET_H
#define DNC_TEXT_SET_H

typedef struct DncTextSet DncTextSet;

extern DncTextSet *dnc_text_set_make(int expected);
extern bool dnc_text_set_add(DncTextSet *set, const char *text);
extern void dnc_text_set_end(DncTextSet *set);

#endif							/* DNC_TEXT_SET_H */
