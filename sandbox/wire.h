/*
 * wire.h
 *		The weight of an answer: compression, and the line that the answer has to pass.
 */
#ifndef SB_WIRE_H
#define SB_WIRE_H

#include "http.h"

/* The line between an account's server and its clients. */
typedef struct SbLine
{
	int64_t		free_us;		/* when the last answer has passed; in the past: the line is free */
} SbLine;

extern void sb_wire_compress(const SbRequest *req, SbAnswer *answer, int level);
extern int64_t sb_wire_pass(SbLine *line, const SbAnswer *answer, long bandwidth,
							int64_t ready_us);

#endif							/* SB_WIRE_H */
