/*-------------------------------------------------------------------------
 *
 * write.h
 *		One write: an entry to be added to a list, or to be removed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_WRITE_H
#define DNC_WRITE_H

#include "request/request.h"
#include "write/target.h"

typedef enum DncAction
{
	DNC_ACTION_ADD,
	DNC_ACTION_REMOVE
} DncAction;

#define DNC_NACTIONS (DNC_ACTION_REMOVE + 1)

/* A write.  Kept small, since a transaction may hold a million of them. */
typedef struct DncWrite
{
	const DncTarget *target;
	uint8		action;			/* DncAction */
	uint8		present;		/* bit i: the i-th member has a value */
	char		text[FLEXIBLE_ARRAY_MEMBER];	/* the values in UTF-8, each with its NUL */
} DncWrite;

/* The values that tell an entry of a server's lists from all others. */
typedef struct DncIdentity
{
	const DncOptions *list;		/* with the token, so that they name the list */
	bool		folds_case;
	bool		ignores_plus;
	const char *values[DNC_MAX_IDENTITY];	/* UTF-8; NULL behind the provider's last */
} DncIdentity;

extern DncWrite *dnc_write_make(MemoryContext context, Size header, const DncTarget *target,
								DncAction action, DncMemberValues values);
extern const DncWriteCall *dnc_write_call(const DncWrite *write);
extern void dnc_write_unpack(const DncWrite *write, const char **values);
extern void dnc_write_texts(const DncWrite *write, const char **texts);
extern const char *dnc_write_value(const DncWrite *write, DncColumn column);
extern bool dnc_write_identity(const DncWrite *write, DncIdentity *identity);
extern bool dnc_write_removes_same(const DncWrite *one, const DncWrite *other);
extern uint32 dnc_write_identity_hash(const void *identity, Size size);
extern int	dnc_write_identity_compare(const void *one, const void *other, Size size);

#endif							/* DNC_WRITE_H */
