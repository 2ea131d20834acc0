/*-------------------------------------------------------------------------
 *
 * trim.h
 *		Identifiers without blanks and invisible characters around them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_TRIM_H
#define DNC_TRIM_H

extern const char *dnc_trim(const char *text);

#endif							/* DNC_TRIM_H */
