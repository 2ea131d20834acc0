/*-------------------------------------------------------------------------
 *
 * lookup_cache.h
 *		The rows that lookups of this statement have found.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_LOOKUP_CACHE_H
#define DNC_LOOKUP_CACHE_H

#include "executor/tuptable.h"
#include "nodes/pg_list.h"

typedef struct DncLookupCache DncLookupCache;
typedef struct DncLookup DncLookup;

extern DncLookupCache *dnc_lookup_cache_make(TupleDesc desc, Size limit);
extern bool dnc_lookup_cache_has(const DncLookupCache *lookups, const char *asked);
extern DncLookup *dnc_lookup_cache_open(DncLookupCache *lookups, const char *asked,
										const List *texts);
extern bool dnc_lookup_cache_next(DncLookup *lookup, TupleTableSlot *slot);
extern void dnc_lookup_cache_begin(DncLookupCache *lookups, const char *asked, AttrNumber indexed);
extern void dnc_lookup_cache_add(DncLookupCache *lookups, TupleTableSlot *slot);
extern void dnc_lookup_cache_finish(DncLookupCache *lookups);
extern void dnc_lookup_cache_abandon(DncLookupCache *lookups);
extern void dnc_lookup_cache_end(DncLookupCache *lookups);

#endif							/* DNC_LOOKUP_CACHE_H */
