/*-------------------------------------------------------------------------
 *
 * outbox.h
 *		This transaction's waiting writes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_OUTBOX_H
#define DNC_OUTBOX_H

#include "option.h"
#include "request.h"

typedef enum DncAction
{
	DNC_ACTION_ADD,
	DNC_ACTION_REMOVE
} DncAction;

#define DNC_NACTIONS (DNC_ACTION_REMOVE + 1)

/* Where writes go: a table of a server, as a user. */
typedef struct DncTarget
{
	struct DncTarget *next;
	struct DncQueue *queue;		/* the server's */
	Oid			relid;
	Oid			userid;
	DncOptions *options;		/* with the token */
} DncTarget;

/* One waiting write.  Kept small: a transaction may hold a million. */
typedef struct DncEntry
{
	DncTarget  *target;
	struct DncEntry *previous;	/* the one before it on the same key; NULL: none */
	int			nest_level;		/* of the (sub)transaction it was made in */
	uint8		action;			/* DncAction */
	uint8		present;		/* bit i: the i-th member has a value */
	bool		skip_listed;	/* ON CONFLICT DO NOTHING */
	char		text[FLEXIBLE_ARRAY_MEMBER];	/* the values, each with its NUL */
} DncEntry;

/* The writes to one server, in the order in which they are to be sent. */
typedef struct DncQueue
{
	struct DncQueue *next;
	Oid			serverid;
	DncEntry  **entries;
	int64		count;
	int64		capacity;
} DncQueue;

extern DncTarget *dnc_outbox_target(Oid serverid, Oid relid, Oid userid);
extern void dnc_outbox_add(DncTarget *target, DncMemberValues values, bool skip_listed);
extern bool dnc_outbox_remove(DncTarget *target, DncMemberValues values);

extern const DncWriteCall *dnc_outbox_write_call(const DncEntry *entry);
extern const char *dnc_outbox_value(const DncEntry *entry, DncColumn column);
extern void dnc_outbox_unpack(const DncEntry *entry, const char **values);

#endif							/* DNC_OUTBOX_H */
