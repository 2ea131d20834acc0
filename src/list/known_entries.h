/*-------------------------------------------------------------------------
 *
 * known_entries.h
 *		The entries of a list that were given last, to be recognised.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_KNOWN_ENTRIES_H
#define DNC_KNOWN_ENTRIES_H

#include "nodes/pg_list.h"

typedef struct DncKnownEntries DncKnownEntries;

extern DncKnownEntries *dnc_known_entries_make(void);
extern bool dnc_known_entries_has(const DncKnownEntries *known, const char *id);
extern bool dnc_known_entries_add(DncKnownEntries *known, const char *id);
extern void dnc_known_entries_restore(DncKnownEntries *known, const List *ids, int64 given);
extern bool dnc_known_entries_forgot(const DncKnownEntries *known);

#endif							/* DNC_KNOWN_ENTRIES_H */
