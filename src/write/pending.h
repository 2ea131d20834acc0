/*-------------------------------------------------------------------------
 *
 * pending.h
 *		Writes to a server, in the order in which they were made.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PENDING_H
#define DNC_PENDING_H

#include "utils/hsearch.h"

#include "config/option.h"
#include "request/request.h"

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
	struct DncPending *queue;		/* the server's in this transaction */
	Oid			relid;
	Oid			userid;
	const DncOptions *options;		/* with the token */
} DncTarget;

typedef enum DncEntryState
{
	DNC_ENTRY_WAITING,
	DNC_ENTRY_OVERTAKEN,		/* a later write makes it needless */
	DNC_ENTRY_TAKEN				/* by the remote */
} DncEntryState;

/* One write.  Kept small: a transaction may hold a million. */
typedef struct DncEntry
{
	DncTarget  *target;
	struct DncEntry *previous;	/* the one before it on the same list entry; NULL: none */
	CommandId	command;		/* of the transaction, that made it */
	int			nest_level;		/* of the (sub)transaction it was made in */
	int			index;			/* in its queue */
	uint8		action;			/* DncAction */
	uint8		present;		/* bit i: the i-th member has a value */
	uint8		state;			/* DncEntryState */
	bool		skip_listed;	/* ON CONFLICT DO NOTHING */
	bool		listed;			/* an addition of what a scan has seen on the list */
	char		text[FLEXIBLE_ARRAY_MEMBER];	/* the values in UTF-8, each with its NUL */
} DncEntry;

typedef struct DncPending
{
	struct DncPending *next;
	Oid			serverid;
	MemoryContext context;
	MemoryContext entry_context;
	DncEntry  **entries;
	int			count;
	int			capacity;
	HTAB	   *last;			/* by DncKey: the last write on it */
	int64		taken[DNC_NACTIONS];	/* sent before COMMIT, by this transaction */
} DncPending;

/* What tells an entry of a server's lists from all others. */
typedef struct DncKey
{
	Oid			account;		/* the user mapping: it says whose list is meant */
	bool		folds_case;
	const char *values[DNC_MAX_IDENTITY];	/* UTF-8; NULL behind the provider's last */
} DncKey;

extern DncPending *dnc_pending_make(MemoryContext parent, Oid serverid);
extern DncEntry *dnc_pending_append(DncPending *queue, DncTarget *target, DncAction action,
									DncMemberValues values, CommandId command);
extern void dnc_pending_drop_last(DncPending *queue);
extern void dnc_pending_clear(DncPending *queue);
extern DncEntry *dnc_pending_find(const DncPending *queue, const DncKey *key);
extern void dnc_pending_mark_overtaken(DncPending *queue);

extern const DncWriteCall *dnc_entry_call(const DncEntry *entry);
extern const char *dnc_entry_value(const DncEntry *entry, DncColumn column);
extern void dnc_entry_unpack(const DncEntry *entry, const char **values);
extern bool dnc_entry_key(const DncEntry *entry, DncKey *key);
extern bool dnc_entry_removes_same(const DncEntry *one, const DncEntry *other);

#endif							/* DNC_PENDING_H */
