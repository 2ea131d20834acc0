/*
 * sendkit.h
 *		What sendkit.c, sendkit_list.c and sendkit_write.c share.
 */
#ifndef SB_SENDKIT_H
#define SB_SENDKIT_H

#include "api.h"

/* An entry to be made. */
typedef struct SendkitEntry
{
	const char *kind;			/* with number: what the id is made from */
	uint64_t	number;
	const char *email;			/* or the domain */
	int			type;
	const char *reason;
	int64_t		created_ms;
} SendkitEntry;

extern void sb_sendkit_error(SbAnswer *answer, int status, const char *message);
extern SbEntry *sb_sendkit_insert(SbAccount *account, size_t index, const SendkitEntry *entry);
extern int	sb_sendkit_type(const char *email);
extern void sb_sendkit_list(SbCall *call);
extern void sb_sendkit_write(SbCall *call);

#endif							/* SB_SENDKIT_H */
