/*
 * limit.h
 *		The rate limit: a number of requests in a fixed window, for each account.
 */
#ifndef SB_LIMIT_H
#define SB_LIMIT_H

#include "config.h"

typedef struct SbLimit
{
	int64_t		window_ends_us; /* on the monotonic clock; in the past: no window is open */
	long		used;			/* requests in the open window */
} SbLimit;

extern bool sb_limit_take(SbLimit *limit, const SbConfig *config, SbAnswer *answer,
						  long *retry_after);

#endif							/* SB_LIMIT_H */
