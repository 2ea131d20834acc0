/*-------------------------------------------------------------------------
 *
 * max_requests.c
 *		Budgets: the requests that we may send to a server.
 *
 * Each request is charged to the budget that its sender hands in.  A statement has one
 * budget for each server and user mapping; all of its scans and its COMMIT share it.
 * The option max_requests of server and mapping limits it, and so does the setting.
 * Another mapping, for instance that of a view's owner, may have another limit.
 *
 * A scan can outlive the statement that began it: each FETCH reads more of a cursor.  So
 * a statement's budget remembers when its statement began, and starts again at zero with
 * the next statement.  That time does not move within a procedure or a background
 * worker, so these have budgets of their own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/hsearch.h"

#include "request/max_requests.h"

int			dnc_max_requests = 0;

typedef struct ServerBudget
{
	Oid			mapping;		/* implies the server */
	DncBudget	budget;
} ServerBudget;

/* Statements' budgets, by user mapping.  They stay for the session, because scans point to them. */
static HTAB *server_budgets = NULL;

/*
 * The budget of the current statement for a server and user mapping, with the limit of
 * *options.  It lasts as long as the session.
 */
DncBudget *
dnc_max_requests_of_statement(const DncOptions *options)
{
	ServerBudget *entry;
	bool		found;

	if (server_budgets == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(Oid), .entrysize = sizeof(ServerBudget)};

		server_budgets = hash_create("dnc_fdw requests of a statement", 8, &ctl,
									 HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(server_budgets, &options->mapping, HASH_ENTER, &found);
	if (!found)
	{
		memset(&entry->budget, 0, sizeof(entry->budget));
		entry->budget.of_statement = true;
	}
	entry->budget.limit = options->max_requests;
	return &entry->budget;
}

/* Are a budget's requests from an earlier statement? */
static bool
is_stale(const DncBudget *budget)
{
	return budget->of_statement && budget->statement != GetCurrentStatementStartTimestamp();
}

/* The number of requests charged to a budget. */
static int64
sent(const DncBudget *budget)
{
	return is_stale(budget) ? 0 : budget->sent;
}

/* The limit of a budget; 0: there is none.  The setting can lower the limit of a statement. */
static int
limit_of(const DncBudget *budget)
{
	if (budget->of_statement && dnc_max_requests > 0 &&
		(budget->limit == 0 || dnc_max_requests < budget->limit))
		return dnc_max_requests;
	return budget->limit;
}

/* Is there enough in a budget for this many more requests? */
bool
dnc_max_requests_allows(const DncBudget *budget, int64 more)
{
	int			limit = limit_of(budget);

	return limit == 0 || sent(budget) + more <= limit;
}

/* Charge a request to a budget. */
void
dnc_max_requests_spend(DncBudget *budget)
{
	if (is_stale(budget))
	{
		budget->sent = 0;
		budget->statement = GetCurrentStatementStartTimestamp();
	}
	budget->sent++;
}

/*
 * A statement is about to send this many more requests to the server of *options.  Raises 54000
 * if the budget forbids that and is not soft.
 */
void
dnc_max_requests_require(const DncBudget *budget, const DncOptions *options, int64 more)
{
	if (!budget->is_soft && !dnc_max_requests_allows(budget, more))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("statement needs more requests to server \"%s\" than max_requests allows",
						options->server_name),
				 errdetail("It has sent %lld and needs %lld more at least; max_requests is %d.",
						   (long long) sent(budget), (long long) more, limit_of(budget)),
				 errhint("ANALYZE the foreign table, and look with EXPLAIN whether another plan takes fewer. If all are needed, raise max_requests of the server, or dnc_fdw.max_requests.")));
}
