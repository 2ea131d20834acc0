/*-------------------------------------------------------------------------
 *
 * limits.c
 *		The limits on the writes to a server: max_deletes and max_requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "request/max_requests.h"
#include "write/limits.h"
#include "write/send.h"

/*
 * Refuse more removals from a server in a transaction than max_deletes allows.  taken: how many
 * of them were sent before.
 */
static void
allow_removals(const DncOptions *options, int64 more, int64 taken)
{
	if (more + taken <= options->max_deletes)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("too many deletions from server \"%s\" in one transaction",
					options->server_name),
			 taken > 0
			 ? errdetail("There are %lld, %lld of them sent by earlier statements, and max_deletes is %d. None of the others was sent.",
						 (long long) (more + taken), (long long) taken, options->max_deletes)
			 : errdetail("There are %lld, and max_deletes is %d. None of them was sent.",
						 (long long) more, options->max_deletes),
			 errhint("If all of these are to be contacted again, raise max_deletes with ALTER SERVER or ALTER FOREIGN TABLE.")));
}

/*
 * Check max_deletes for the removals from one server (54000).  taken: how many the server has
 * taken before in this transaction.  If several tables of the server are deleted from, their
 * strictest limit counts.
 */
void
dnc_limits_check_deletes(DncWrite **removals, int count, int64 taken)
{
	const DncOptions *strictest = NULL;

	for (int i = 0; i < count; i++)
	{
		const DncOptions *options = removals[i]->target->options;

		if (options->max_deletes > 0 &&
			(strictest == NULL || options->max_deletes < strictest->max_deletes))
			strictest = options;
	}
	if (strictest)
		allow_removals(strictest, count, taken);
}

/*
 * Refuse (54000) the writes to one server, by action, if they exceed max_deletes or max_requests.
 * removed: how many removals the server has taken in this transaction.
 */
void
dnc_limits_check(DncWrite **const writes[DNC_NACTIONS], const int counts[DNC_NACTIONS],
				 int64 removed)
{
	const DncOptions *options = NULL;
	int64		requests = 0;

	dnc_limits_check_deletes(writes[DNC_ACTION_REMOVE], counts[DNC_ACTION_REMOVE], removed);
	for (int action = 0; action < DNC_NACTIONS; action++)
	{
		if (counts[action] > 0)
			options = writes[action][0]->target->options;
		requests += dnc_send_requests(writes[action], counts[action]);
	}
	if (options)
		dnc_max_requests_require(dnc_max_requests_of_statement(options), options, requests);
}
