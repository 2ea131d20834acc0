/*-------------------------------------------------------------------------
 *
 * max_requests.c
 *		The requests that one statement may send: max_requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

#include "request/max_requests.h"

int			dnc_max_requests = 0;

/* The requests of the present statement to one server. */
typedef struct StatementCount
{
	Oid			serverid;
	TimestampTz statement;		/* when it began */
	int64		requests;
} StatementCount;

/* The session's, by server. */
static HTAB *statement_counts = NULL;

/* How many requests the present statement has sent to a server. */
static StatementCount *
find_count(Oid serverid)
{
	TimestampTz statement = GetCurrentStatementStartTimestamp();
	StatementCount *count;
	bool		found;

	if (statement_counts == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(Oid), .entrysize = sizeof(StatementCount)};

		statement_counts = hash_create("dnc_fdw requests of a statement", 8, &ctl,
									   HASH_ELEM | HASH_BLOBS);
	}
	count = hash_search(statement_counts, &serverid, HASH_ENTER, &found);
	if (!found || count->statement != statement)
	{
		count->statement = statement;
		count->requests = 0;
	}
	return count;
}

/* What a statement may send to a server: by its option, and the setting; 0: no limit. */
static int
max_requests(const DncOptions *options)
{
	if (options->max_requests == 0 ||
		(dnc_max_requests > 0 && dnc_max_requests < options->max_requests))
		return dnc_max_requests;
	return options->max_requests;
}

/* May the present statement send some more requests to a server? */
bool
dnc_max_requests_allows(const DncOptions *options, int64 more)
{
	int			limit = max_requests(options);

	return limit == 0 || find_count(options->serverid)->requests + more <= limit;
}

/* Count a request to a server. */
void
dnc_max_requests_spend(const DncOptions *options)
{
	find_count(options->serverid)->requests++;
}

/*
 * The present statement is about to send some more requests to a server.  Raises
 * 54000 where max_requests of the server, or the setting, forbids it.
 */
void
dnc_max_requests_require(const DncOptions *options, int64 more)
{
	if (!dnc_max_requests_allows(options, more))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("statement needs more requests to server \"%s\" than max_requests allows",
						options->server_name),
				 errdetail("It has sent %lld and needs %lld more at least; max_requests is %d.",
						   (long long) find_count(options->serverid)->requests, (long long) more,
						   max_requests(options)),
				 errhint("ANALYZE the foreign table, and look with EXPLAIN whether another plan takes fewer. If all are needed, raise max_requests of the server, or dnc_fdw.max_requests.")));
}
