/*-------------------------------------------------------------------------
 *
 * route.h
 *		Where a written row goes: it waits for COMMIT, or is sent at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ROUTE_H
#define DNC_ROUTE_H

#include "nodes/execnodes.h"
#include "nodes/plannodes.h"

#include "write/transaction.h"

/* The part of a statement that writes to a table. */
typedef struct DncRouteStatement
{
	ResultRelInfo *result;
	EState	   *estate;
	DncAction	action;
	const ModifyTable *plan;	/* NULL: COPY */
} DncRouteStatement;

/* A way for rows to go.  A kind of route may put members of its own behind these. */
typedef struct DncRoute
{
	const struct DncRouteKind *kind;
	const DncTarget *target;
	DncAccountWrites *account;
	DncPending *pending;		/* the account's: holds the added writes until they have gone on */
	DncOpenRoute *open;			/* NULL: a removal by key, which is over as soon as it has begun */
	CommandId	seen;			/* removals: their scan sees the commands before this */
} DncRoute;

/* A kind of route, for one write_mode of tables. */
typedef struct DncRouteKind
{
	bool		tells_changes;	/* end() says how many entries the remote has changed */
	DncRoute   *(*begin) (DncAccountWrites *account, const DncTarget *target,
						  const DncRouteStatement *statement);
	void		(*flush) (DncRoute *route);
	int64		(*end) (DncRoute *route);
	void		(*store) (DncAccountWrites *account);	/* at COMMIT or PREPARE; NULL: the
														 * waiting writes are sent */
} DncRouteKind;

extern DncRoute *dnc_route_begin_until_commit(DncAccountWrites *account, const DncTarget *target,
											  const DncRouteStatement *statement);
extern void dnc_route_flush_until_commit(DncRoute *route);
extern int64 dnc_route_end_until_commit(DncRoute *route);
extern void dnc_route_register(DncWriteMode write_mode, const DncRouteKind *kind);
extern bool dnc_route_tells_changes(const DncOptions *options);
extern DncRoute *dnc_route_begin(const DncTarget *target, const DncRouteStatement *statement);
extern DncPendingWrite *dnc_route_add(DncRoute *route, DncAction action, DncMemberValues values,
									  CommandId command);
extern bool dnc_route_is_removal_open(const DncRoute *route);
extern void dnc_route_flush(DncRoute *route);
extern int64 dnc_route_end(DncRoute *route);

#endif							/* DNC_ROUTE_H */
