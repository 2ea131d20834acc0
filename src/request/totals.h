/*-------------------------------------------------------------------------
 *
 * totals.h
 *		Counts of the requests of all sessions of the cluster, by server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_TOTALS_H
#define DNC_TOTALS_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "request/count.h"

/* A server's place in shared memory. */
typedef struct DncTotalsPlace DncTotalsPlace;

/* A copy of the totals of a server, or of all servers without a place of their own. */
typedef struct DncTotals
{
	NameData	database;		/* database and server are empty: all servers without a place */
	NameData	server;
	int64		counts[DNC_NCOUNTS];
} DncTotals;

extern void dnc_totals_init(void);
extern DncTotalsPlace *dnc_totals_find(DncTotalsPlace *known, const char *server_name);
extern void dnc_totals_add(DncTotalsPlace *place, DncCount what, int64 more);
extern bool dnc_totals_read(List **totals, TimestampTz *since);

#endif							/* DNC_TOTALS_H */
