/*-------------------------------------------------------------------------
 *
 * totals.h
 *		What the requests of all sessions of the cluster came to, by server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_TOTALS_H
#define DNC_TOTALS_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "request/count.h"

/* The place of a server in shared memory. */
typedef struct DncTotalsPlace DncTotalsPlace;

/* The totals of a server, or of those that had no place; a copy. */
typedef struct DncTotals
{
	NameData	database;		/* empty, as server: of those that had no place */
	NameData	server;
	int64		counts[DNC_NCOUNTS];
} DncTotals;

extern void dnc_totals_init(void);
extern DncTotalsPlace *dnc_totals_find(DncTotalsPlace *known, const char *server_name);
extern void dnc_totals_add(DncTotalsPlace *place, DncCount what, int64 more);
extern bool dnc_totals_read(List **totals, TimestampTz *since);

#endif							/* DNC_TOTALS_H */
