/*-------------------------------------------------------------------------
 *
 * table.h
 *		The tables of the queue, and queries on them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_TABLE_H
#define DNC_QUEUE_TABLE_H

#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "utils/uuid.h"

#include "config/option.h"

/*
 * The class of our advisory locks, which pg_locks shows as objsubid.  Advisory locks of users have
 * 1 or 2 there.  A sender holds one of our locks for its server and one for its account.  For the
 * other locks see forget.c and guard.c.
 */
#define DNC_DELIVER_LOCK_CLASS 3340

/* The columns of dnc_fdw_queue_waiting and dnc_fdw_queue_finished, by attribute number. */
typedef enum DncQueueColumn
{
	DNC_QUEUE_INSTANCE = 1,
	DNC_QUEUE_ID,
	DNC_QUEUE_DATABASE,
	DNC_QUEUE_SYSTEM,
	DNC_QUEUE_TIMELINE,
	DNC_QUEUE_SERVER,
	DNC_QUEUE_RELATION,
	DNC_QUEUE_RELATION_NAME,
	DNC_QUEUE_ROLE,
	DNC_QUEUE_ROLE_NAME,
	DNC_QUEUE_ACCOUNT,
	DNC_QUEUE_ADDRESS,
	DNC_QUEUE_ACTION,
	DNC_QUEUE_ENTRY_ID,
	DNC_QUEUE_IDENTIFIER,
	DNC_QUEUE_IDENTIFIER_TYPE,
	DNC_QUEUE_LABEL,
	DNC_QUEUE_REASON,
	DNC_QUEUE_BATCH_ID,
	DNC_QUEUE_REQUEST_UUID,
	DNC_QUEUE_MATCH_KEY,
	DNC_QUEUE_XID,
	DNC_QUEUE_SNAPSHOT,
	DNC_QUEUE_SEEN_AT,
	DNC_QUEUE_STATE,
	DNC_QUEUE_ATTEMPTS,
	DNC_QUEUE_UNCLEAR,
	DNC_QUEUE_NEXT_TRY,
	DNC_QUEUE_HTTP_STATUS,
	DNC_QUEUE_SQLSTATE,
	DNC_QUEUE_MESSAGE,
	DNC_QUEUE_QUEUED_AT,
	DNC_QUEUE_RETRIED_AT,
	DNC_QUEUE_REQUESTED_AT,
	DNC_QUEUE_DONE_AT,			/* of dnc_fdw_queue_finished only */
	DNC_QUEUE_SENT_WITH			/* likewise */
} DncQueueColumn;

/* A value to send, and the column of our tables that stores it. */
typedef struct DncQueueMember
{
	DncColumn	column;
	DncQueueColumn stored;
} DncQueueMember;

#define DNC_QUEUE_NMEMBERS 7

/* The columns of the members, in their order. */
#define DNC_QUEUE_MEMBERS \
	"entry_id, identifier, identifier_type, label, reason, batch_id, request_uuid"

/* A statement that runs often, and that we plan once in a session.  Begins as {0}. */
typedef struct DncQueuePlan
{
	char	   *sql;			/* palloc'd for good */
	SPIPlanPtr	plan;			/* kept */
} DncQueuePlan;

extern const DncQueueMember dnc_queue_members[DNC_QUEUE_NMEMBERS];

/* The place where a row was written.  A copy of the database has other values. */
typedef struct DncQueueOrigin
{
	pg_uuid_t	instance;		/* of the extension */
	Oid			database;
	int64		system;			/* the cluster's identifier */
	int32		timeline;
} DncQueueOrigin;

/* The arguments of a query. */
typedef struct DncQueueArguments
{
	int			count;
	Oid			types[24];
	Datum		values[24];
	char		nulls[24];
} DncQueueArguments;

/* A query that has run, until dnc_queue_close(). */
typedef struct DncQueueQuery
{
	Oid			user;			/* the caller's */
	int			security;		/* the caller's security context */
	int			settings;		/* nest level of our settings */
	SPITupleTable *rows;		/* NULL: the query gives none */
	uint64		count;			/* rows given or changed */
} DncQueueQuery;

extern const char *dnc_queue_done_message(bool adds, bool unchanged);
extern bool dnc_queue_is_empty(Oid relid);
extern bool dnc_queue_exists(void);
extern void dnc_queue_require(void);
extern Oid	dnc_queue_relation(const char *name);
extern Oid	dnc_queue_owner_of(Oid relid);
extern void dnc_queue_cluster(DncQueueOrigin *origin);
extern void dnc_queue_origin(DncQueueOrigin *origin);
extern char *dnc_queue_account(const DncOptions *options);
extern char *dnc_queue_address(const DncOptions *options);
extern char *dnc_queue_credential(const DncOptions *options);
extern void dnc_queue_argument(DncQueueArguments *arguments, Oid type, Datum value);
extern void dnc_queue_text_argument(DncQueueArguments *arguments, const char *text);
extern void dnc_queue_time_argument(DncQueueArguments *arguments, TimestampTz time);
extern void dnc_queue_origin_arguments(DncQueueArguments *arguments);
extern void dnc_queue_server_arguments(Oid serverid, DncQueueArguments *arguments);
extern void dnc_queue_list_arguments(const DncOptions *options, DncQueueArguments *arguments);
extern void dnc_queue_open(DncQueueQuery *query, const char *sql,
						   const DncQueueArguments *arguments, bool read_only);
extern char *dnc_queue_value(const DncQueueQuery *query, uint64 row, int column);
extern Datum dnc_queue_datum(const DncQueueQuery *query, uint64 row, int column);
extern TimestampTz dnc_queue_time(const DncQueueQuery *query, uint64 row, int column);
extern char *dnc_queue_utf8(const DncQueueQuery *query, uint64 row, int column,
							MemoryContext context);
extern void dnc_queue_close(DncQueueQuery *query);
extern uint64 dnc_queue_run(const char *sql, const DncQueueArguments *arguments);
extern void dnc_queue_run_again(DncQueuePlan *kept, const char *sql,
								const DncQueueArguments *arguments);

#endif							/* DNC_QUEUE_TABLE_H */
