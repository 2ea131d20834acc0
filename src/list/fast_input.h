/*-------------------------------------------------------------------------
 *
 * fast_input.h
 *		Texts as values of common types, without their input functions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_FAST_INPUT_H
#define DNC_FAST_INPUT_H

/* Reads a text in the database's encoding; false: use the input function. */
typedef bool (*DncFastInput) (const char *text, Datum *value);

extern DncFastInput dnc_fast_input_find(Oid type, int32 typmod);

#endif							/* DNC_FAST_INPUT_H */
