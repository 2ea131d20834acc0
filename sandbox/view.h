/*
 * view.h
 *		What a filter leaves of a list, page by page, remembered until the list changes.
 *
 * It knows names, types and search texts of entries, not their JSON.
 */
#ifndef SB_VIEW_H
#define SB_VIEW_H

#include "store.h"

#define SB_ANY_TYPE (-1)
#define SB_VIEW_SLOTS 8

typedef enum SbMatch
{
	SB_MATCH_EXACT,
	SB_MATCH_PREFIX,
	SB_MATCH_SUBSTRING
} SbMatch;

typedef struct SbFilter
{
	int			type;			/* index into the API's types, or SB_ANY_TYPE */
	bool		loose;			/* the type that follows it passes, too */
	const char *search;			/* NULL: any name */
	size_t		search_len;
	SbMatch		match;
	bool		fold;			/* letters of ASCII match in either case */
} SbFilter;

/* One filter's entries.  The filter's search is the slot's own copy. */
typedef struct SbViewSlot
{
	SbFilter	filter;
	uint64_t	version;		/* of the store when this was computed */
	uint64_t	used;			/* when it was last asked for; 0: never */
	SbEntry   **entry;
	size_t		count;
	size_t		room;
} SbViewSlot;

/* The memory of a list's recent filters; the last slot is for exact look-ups. */
typedef struct SbViews
{
	SbViewSlot	slot[SB_VIEW_SLOTS + 1];
	uint64_t	clock;
} SbViews;

/* A filter's entries, good until the list changes or the next filter is asked for. */
typedef struct SbView
{
	SbStore    *store;
	const SbViewSlot *slot;		/* NULL: the whole list */
	size_t		count;
} SbView;

extern SbView sb_view_open(SbViews *views, SbStore *store, const SbFilter *filter);
extern size_t sb_view_slice(const SbView *view, size_t from, size_t max, SbEntry **into);
extern size_t sb_view_rank(const SbView *view, int64_t position);
extern void sb_views_clear(SbViews *views);

#endif							/* SB_VIEW_H */
