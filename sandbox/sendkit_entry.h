/*
 * sendkit_entry.h
 *		How we write SendKit's errors and entries.
 */
#ifndef SB_SENDKIT_ENTRY_H
#define SB_SENDKIT_ENTRY_H

#include "account.h"

#define SB_SENDKIT_WORKSPACE "ws_"	/* a workspace's id is this, followed by the account */

/* A new entry. */
typedef struct SendkitEntry
{
	const char *kind;			/* with number: the source of the id */
	uint64_t	number;
	const char *email;			/* email address or domain */
	int			type;
	const char *reason;
	int64_t		created_ms;
} SendkitEntry;

extern const char *const sb_sendkit_types[];	/* NULL at the end; an entry's type is an index */

extern void sb_sendkit_error(SbAnswer *answer, int status, const char *message);
extern SbEntry *sb_sendkit_insert(SbAccount *account, size_t index, const SendkitEntry *entry);
extern int	sb_sendkit_type(const char *email);
extern bool sb_sendkit_fill(SbAccount *account, uint64_t number, int type);
extern SbEntry *sb_sendkit_drift(SbAccount *account, size_t index);

#endif							/* SB_SENDKIT_ENTRY_H */
