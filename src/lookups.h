/*-------------------------------------------------------------------------
 *
 * lookups.h
 *		What lookups of this statement have found.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_LOOKUPS_H
#define DNC_LOOKUPS_H

#include "executor/tuptable.h"

typedef struct DncLookups DncLookups;
typedef struct DncLookup DncLookup;

extern DncLookups *dnc_lookups_make(Size limit);
extern DncLookup *dnc_lookups_find(DncLookups *lookups, const char *asked);
extern bool dnc_lookups_next(DncLookup *lookup, TupleTableSlot *slot);
extern void dnc_lookups_begin(DncLookups *lookups, const char *asked);
extern void dnc_lookups_add(DncLookups *lookups, TupleTableSlot *slot);
extern void dnc_lookups_finish(DncLookups *lookups);
extern void dnc_lookups_abandon(DncLookups *lookups);

#endif							/* DNC_LOOKUPS_H */
