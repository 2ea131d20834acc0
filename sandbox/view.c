/*
 * view.c
 *		The entries of a list that pass a filter, page by page, remembered until the list
 *		changes.
 *
 * A reader asks for the same filter with each page.  Walking a million entries each time would
 * make the sandbox slower than the client that it measures.  Exact look-ups come by the thousand,
 * each once.  They go through the hash table and have their own slot, so they push no other
 * filter out.
 */
#include "view.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD 8					/* a walk asks for memory this many entries in advance */
#define AHEAD_BYTES 192			/* bytes of an entry, up to the end of a usual text or name */

/* How far the end of a comparison may move on, for each byte at that end (Horspool). */
typedef struct SbSkips
{
	uint8_t		by[256];
} SbSkips;

/* Computes the skips of a filter that has a search. */
static void
compute_skips(SbSkips *skips, const SbFilter *filter)
{
	size_t		len = filter->search_len;

	memset(skips->by, len < 255 ? (int) len : 255, sizeof(skips->by));
	for (size_t i = 0; i + 1 < len; i++)
	{
		unsigned char c = (unsigned char) filter->search[i];
		uint8_t		skip = (uint8_t) (len - 1 - i < 255 ? len - 1 - i : 255);

		skips->by[c] = skip;
		if (filter->fold && sb_fold((char) c) >= 'a' && sb_fold((char) c) <= 'z')
			skips->by[c ^ 0x20] = skip;
	}
}

/* Whether the text that a search compares contains the searched string. */
static bool
contains(const char *text, size_t text_len, const SbFilter *filter, const SbSkips *skips)
{
	size_t		len = filter->search_len;

	for (size_t end = len; end <= text_len; end += skips->by[(unsigned char) text[end - 1]])
		if (sb_same_bytes(text + end - len, filter->search, len, filter->fold))
			return true;
	return false;
}

/* Whether an entry passes a filter; skips are needed for substrings only. */
static bool
passes(const SbEntry *entry, const SbFilter *filter, const SbSkips *skips)
{
	bool		by_text = entry->text_len > 0;
	const char *text = by_text ? entry->bytes : sb_entry_key(entry, SB_BY_NAME);
	size_t		text_len = by_text ? entry->text_len : entry->key[SB_BY_NAME].len;

	if (filter->type != SB_ANY_TYPE && entry->type != filter->type &&
		!(filter->loose && entry->type == filter->type + 1))
		return false;
	if (filter->search == NULL)
		return true;
	if (text_len < filter->search_len)
		return false;
	switch (filter->match)
	{
		case SB_MATCH_EXACT:
			return text_len == filter->search_len &&
				sb_same_bytes(text, filter->search, filter->search_len, filter->fold);
		case SB_MATCH_PREFIX:
			return sb_same_bytes(text, filter->search, filter->search_len, filter->fold);
		case SB_MATCH_SUBSTRING:
			return contains(text, text_len, filter, skips);
	}
	return false;
}

/* Appends an entry to a slot. */
static void
keep(SbViewSlot *slot, SbEntry *entry)
{
	if (slot->count == slot->room)
	{
		slot->room = slot->room == 0 ? 64 : slot->room * 2;
		slot->entry = sb_realloc(slot->entry, slot->room * sizeof(SbEntry *));
	}
	slot->entry[slot->count++] = entry;
}

/* qsort: list order. */
static int
by_position(const void *a, const void *b)
{
	const SbEntry *left = *(SbEntry *const *) a;
	const SbEntry *right = *(SbEntry *const *) b;

	return (left->position > right->position) - (left->position < right->position);
}

/* Fills a slot with the entries of an exact name (they have no other text), from the hash table. */
static void
look_up(SbViewSlot *slot, SbStore *store, const SbFilter *filter)
{
	SbEntry    *entry = sb_store_same_hash(store, filter->search, filter->search_len);

	slot->count = 0;
	for (; entry != NULL; entry = sb_store_next_hash(entry))
		if (passes(entry, filter, NULL))
			keep(slot, entry);
	if (slot->count > 1)
		qsort(slot->entry, slot->count, sizeof(SbEntry *), by_position);
}

/* Asks for the memory of an entry that a walk needs soon: waiting for it takes longest. */
static void
fetch_ahead(const SbEntry *entry)
{
	for (size_t at = 0; at < AHEAD_BYTES; at += 64)
		__builtin_prefetch((const char *) entry + at);
}

/* Fills a slot by walking the whole list. */
static void
walk(SbViewSlot *slot, SbStore *store, const SbFilter *filter)
{
	SbEntry    *piece[512];
	SbSkips		skips;
	size_t		from = 0;
	size_t		got;

	if (filter->search != NULL)
		compute_skips(&skips, filter);
	slot->count = 0;
	while ((got = sb_store_slice(store, from, 512, piece)) > 0)
	{
		for (size_t i = 0; i < got; i++)
		{
			if (i + AHEAD < got)
				fetch_ahead(piece[i + AHEAD]);
			if (passes(piece[i], filter, &skips))
				keep(slot, piece[i]);
		}
		from += got;
	}
}

/* Whether two filters are the same. */
static bool
same_filter(const SbFilter *a, const SbFilter *b)
{
	return a->type == b->type && a->loose == b->loose && a->match == b->match && a->fold == b->fold &&
		(a->search == NULL) == (b->search == NULL) && a->search_len == b->search_len &&
		(a->search == NULL || memcmp(a->search, b->search, a->search_len) == 0);
}

/* The slot that has the filter already; otherwise the least recently used slot. */
static SbViewSlot *
choose_slot(SbViews *views, const SbFilter *filter)
{
	SbViewSlot *oldest = &views->slot[0];

	for (int i = 0; i < SB_VIEW_SLOTS; i++)
	{
		SbViewSlot *slot = &views->slot[i];

		if (slot->used > 0 && same_filter(&slot->filter, filter))
			return slot;
		if (slot->used < oldest->used)
			oldest = slot;
	}
	free((char *) oldest->filter.search);
	oldest->filter = *filter;
	if (filter->search != NULL)
		oldest->filter.search = sb_copy(filter->search, filter->search_len);
	oldest->used = 0;
	return oldest;
}

/* The entries that pass a filter. */
SbView
sb_view_open(SbViews *views, SbStore *store, const SbFilter *filter)
{
	SbView		view = {store, NULL, store->count};
	SbViewSlot *slot;

	if (filter->type == SB_ANY_TYPE && filter->search == NULL)
		return view;
	if (filter->search != NULL && filter->match == SB_MATCH_EXACT)
	{
		slot = &views->slot[SB_VIEW_SLOTS];
		look_up(slot, store, filter);
	}
	else
	{
		slot = choose_slot(views, filter);
		if (slot->used == 0 || slot->version != store->version)
			walk(slot, store, filter);
		slot->version = store->version;
		slot->used = ++views->clock;
	}
	view.slot = slot;
	view.count = slot->count;
	return view;
}

/* Copies the pointers of up to max entries from the index `from` on; returns their number. */
size_t
sb_view_slice(const SbView *view, size_t from, size_t max, SbEntry **into)
{
	if (view->slot == NULL)
		return sb_store_slice(view->store, from, max, into);
	if (from >= view->count)
		return 0;
	if (max > view->count - from)
		max = view->count - from;
	memcpy(into, view->slot->entry + from, max * sizeof(SbEntry *));
	return max;
}

/* The number of the view's entries at that position of the list or before it. */
size_t
sb_view_rank(const SbView *view, int64_t position)
{
	size_t		low = 0;
	size_t		high = view->count;

	if (view->slot == NULL)
		return sb_store_rank(view->store, position);
	while (low < high)
	{
		size_t		middle = (low + high) / 2;

		if (view->slot->entry[middle]->position <= position)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Forgets and frees everything. */
void
sb_views_clear(SbViews *views)
{
	for (int i = 0; i <= SB_VIEW_SLOTS; i++)
	{
		free((char *) views->slot[i].filter.search);
		free(views->slot[i].entry);
	}
	memset(views, 0, sizeof(*views));
}
