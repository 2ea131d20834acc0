/*
 * alta_entry.h
 *		How we write Alta's errors and entries.
 */
#ifndef SB_ALTA_ENTRY_H
#define SB_ALTA_ENTRY_H

#include "account.h"

/* A new entry. */
typedef struct AltaEntry
{
	const char *kind;			/* with number: the source of the uuid */
	uint64_t	number;
	const char *identifier;
	int			type;
	const char *label;			/* NULL: none */
	bool		manual;
	int64_t		created_ms;
} AltaEntry;

extern const char *const sb_alta_types[];	/* NULL at the end; an entry's type is an index */

extern void sb_alta_error(SbAnswer *answer, int status, const char *message);
extern SbEntry *sb_alta_insert(SbAccount *account, size_t index, const AltaEntry *entry);
extern bool sb_alta_fill(SbAccount *account, uint64_t number, int type);
extern SbEntry *sb_alta_drift(SbAccount *account, size_t index);

#endif							/* SB_ALTA_ENTRY_H */
