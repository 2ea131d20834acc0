/*-------------------------------------------------------------------------
 *
 * known_entries.h
 *		The entries of a list that were given last, so that we recognise them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_KNOWN_ENTRIES_H
#define DNC_KNOWN_ENTRIES_H

#include "list/page.h"

typedef struct DncKnownEntries DncKnownEntries;

/* The hashes by which we recognise an entry. */
typedef struct DncEntryMark
{
	uint64		id;				/* hash of the id; 0: the entry has no id */
	uint64		content;		/* hash of identifier and type; 0: not known */
} DncEntryMark;

extern DncKnownEntries *dnc_known_entries_make(const DncOptions *options);
extern DncEntryMark *dnc_known_entries_marks(const DncKnownEntries *known, const DncPage *page,
											 int *count);
extern bool dnc_known_entries_has(const DncKnownEntries *known, const DncEntryMark *mark);
extern bool dnc_known_entries_add(DncKnownEntries *known, const DncEntryMark *mark);
extern void dnc_known_entries_restore(DncKnownEntries *known, const List *ids, int64 given);
extern bool dnc_known_entries_forgot(const DncKnownEntries *known);

#endif							/* DNC_KNOWN_ENTRIES_H */
