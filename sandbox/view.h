/*
 * view.h
 *		The entries of a list that pass a filter, page by page, remembered until the list
 *		changes.
 *
 * This module knows names, types and search texts of entries, but not their JSON.
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
	bool		loose;			/* the next type passes, too */
	const char *search;			/* NULL: any name */
	size_t		search_len;
	SbMatch		match;
	bool		fold;			/* letters of ASCII match in either case */
} SbFilter;

/* One filter's entries.  The slot owns a copy of the filter's search. */
typedef struct SbViewSlot
{
	SbFilter	filter;
	uint64_t	version;		/* the store's version when we computed this */
	uint64_t	used;			/* time of the last use; 0: never */
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

/* A filter's entries, valid until the list changes or somebody asks for the next filter. */
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
