/*
 * config.h
 *		The settings of an account: how its API behaves where the vendor's documents leave it
 *		open, and which troubles we order.
 */
#ifndef SB_CONFIG_H
#define SB_CONFIG_H

#include "http.h"

#define SB_MAX_LIMIT 1000		/* the largest max_limit */

typedef enum SbCursors
{
	SB_CURSORS_PAGE,
	SB_CURSORS_KEYSET
} SbCursors;

typedef enum SbGeneration
{
	SB_GENERATION_NEW,
	SB_GENERATION_OLD
} SbGeneration;

typedef enum SbOrder
{
	SB_ORDER_OLDEST,
	SB_ORDER_NEWEST,
	SB_ORDER_RANDOM
} SbOrder;

typedef enum SbOnDuplicate
{
	SB_DUPLICATE_IGNORE,
	SB_DUPLICATE_UPDATE,
	SB_DUPLICATE_ERROR
} SbOnDuplicate;

/* The headers with which answers describe the rate limit. */
typedef enum SbRateHeaders
{
	SB_RATE_HEADERS_ALL,
	SB_RATE_HEADERS_RATELIMIT,
	SB_RATE_HEADERS_RETRY_AFTER,
	SB_RATE_HEADERS_NONE
} SbRateHeaders;

typedef enum SbDriftAt
{
	SB_DRIFT_FRONT,
	SB_DRIFT_END,
	SB_DRIFT_RANDOM
} SbDriftAt;

/* All fields are long, so that one table can describe them; an enum is stored by its value. */
typedef struct SbConfig
{
	long		latency_ms;
	long		think_ms;		/* upper bound */
	long		bandwidth;		/* bytes a second; 0: no limit */
	long		compress;		/* level; 0: no compression */
	long		rate_limit;		/* 0: none */
	long		rate_window_ms;
	long		rate_headers;	/* SbRateHeaders */
	long		search;			/* SbMatch */
	long		search_case;	/* 1: letters of ASCII match in either case */
	long		cursors;		/* SbCursors */
	long		cursor_use;		/* 1: a cursor leads to its page once */
	long		previous;		/* 1: pages do not give the cursor of the previous page */
	long		type_filter;	/* 1: the next type passes, too */
	long		generation;		/* SbGeneration */
	long		max_limit;		/* most entries on a page, for any limit that a client asks for */
	long		over_limit;		/* 1: refuse a limit over max_limit, instead of cutting it */
	long		clock_offset;	/* of the header Date, in seconds */
	long		order;			/* SbOrder */
	long		on_duplicate;	/* SbOnDuplicate */
	long		drift_add;
	long		drift_remove;
	long		drift_at;		/* SbDriftAt */
	long		drift_seed;
	long		fault_seed;
} SbConfig;

extern bool sb_config_apply(SbConfig *config, const char *const *except, const SbQuery *query,
							SbText *problem);

#endif							/* SB_CONFIG_H */
