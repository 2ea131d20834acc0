/*-------------------------------------------------------------------------
 *
 * pass.h
 *		A pass over a list: its place in the list, and its results so far.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PASS_H
#define DNC_PASS_H

#include "list/page.h"
#include "mirror/mirror.h"

/* The order in which a pass has seen the entries of its list, by created_at. */
typedef enum DncOrder
{
	DNC_ORDER_ANY,				/* all entries so far, if any, have one created_at */
	DNC_ORDER_NEWEST_FIRST,
	DNC_ORDER_NEWEST_LAST,
	DNC_ORDER_NONE
} DncOrder;

/* The turn of a delta's rows in the staging table, which may also have rows of a full pass. */
#define DNC_TURN_DELTA 0

typedef struct DncPass
{
	const DncMirror *mirror;
	int64		id;
	bool		delta;
	TimestampTz began_at;
	int			turn;			/* 1; 2: a first fill reads the list again; DNC_TURN_DELTA */
	DncPosition position;
	int64		pages;			/* of all turns */
	int64		rows;
	int64		requests;
	int			resumes;
	DncOrder	order;
	TimestampTz newest_at;		/* the newest created_at; 0: none */
	TimestampTz last_created_at;	/* of the last entry; 0: none */
	TimestampTz page_newest_at; /* the newest of the current page; a delta resets it */
	List	   *there;			/* of char *: missing identities that a lookup found on the
								 * list */
	List	   *not_there;		/* of char *: missing identities that a lookup did not find */
} DncPass;

extern Datum dnc_pass_identities(const List *texts);
extern DncPass *dnc_pass_find(const DncMirror *mirror);
extern DncPass *dnc_pass_begin(const DncMirror *mirror, bool delta);
extern void dnc_pass_restart(DncPass *pass, const char *reason);
extern const char *dnc_pass_must_restart(const DncPass *pass);
extern bool dnc_pass_has_cursors(const DncPass *pass);
extern const char *dnc_pass_newest(const DncPass *pass);
extern void dnc_pass_see(DncPass *pass, TimestampTz created_at);
extern void dnc_pass_save(const DncPass *pass);
extern void dnc_pass_note_error(int64 id, const char *sqlstate, const char *message);
extern void dnc_pass_end(const DncPass *pass, const char *state, const char *message);

#endif							/* DNC_PASS_H */
