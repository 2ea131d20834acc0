/*-------------------------------------------------------------------------
 *
 * loss.c
 *		Is more of a list missing than can be right?
 *
 * We compare sets, not sizes: a list of 100 other entries has lost 100.  We compare with the
 * largest of the last week's, too: a list that loses a little each night has lost much.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "mirror/loss.h"
#include "mirror/statements.h"

/* So few entries can be missing from any list. */
#define ALWAYS_ALLOWED 20

/* The entries of a set, and those of them that a pass has not seen. */
typedef struct Loss
{
	int64		entries;
	int64		lost;
} Loss;

/*
 * Compare a pass with an earlier complete one: $8 and $9 are when that began and ended.
 * An entry that we have removed ourselves is not lost.  The staging table has each entry
 * once by now; it is joined, since a subquery for each row would scan it each time.
 */
static Loss
compare(const DncPass *pass, const DncQueueArguments *arguments)
{
	DncQueueQuery query;
	Loss		loss;

	dnc_mirror_open(&query, pass->mirror,
					"SELECT count(*), count(*) FILTER (WHERE s.identity IS NULL AND NOT (m.gone_at IS NOT NULL AND m.missed = 0) "
					"AND NOT EXISTS (SELECT FROM " DNC_MIRROR_REMOVED " r WHERE " DNC_MIRROR_IS_REMOVED ")) "
					"FROM {mirror} m LEFT JOIN " DNC_MIRROR_STAGED " s ON s.identity = m.identity WHERE m.first_seen <= $9 AND (m.last_seen IS NULL OR m.last_seen >= $8)",
					arguments);
	loss.entries = DatumGetInt64(dnc_queue_datum(&query, 0, 1));
	loss.lost = DatumGetInt64(dnc_queue_datum(&query, 0, 2));
	dnc_queue_close(&query);
	return loss;
}

/*
 * Find the largest complete pass of the last seven days, or the last one, none of them older
 * than the last loss that was accepted.  False: there is none.
 */
static bool
find_pass(const DncPass *pass, bool largest, DncQueueArguments *arguments)
{
	DncQueueArguments own = {0};
	DncQueueQuery query;
	bool		found;

	dnc_queue_argument(&own, OIDOID, ObjectIdGetDatum(pass->mirror->source));
	dnc_queue_argument(&own, BOOLOID, BoolGetDatum(largest));
	dnc_queue_open(&query,
				   "SELECT p.began_at, p.ended_at FROM %1$s.dnc_fdw_pass_log p WHERE p.source = $1 AND p.mode = 'full' "
				   "AND p.state = 'done' AND (NOT $2 OR p.began_at > clock_timestamp() - interval '7 days') "
				   "AND p.id >= coalesce((SELECT max(a.id) FROM %1$s.dnc_fdw_pass_log a WHERE a.source = $1 AND "
				   "a.state = 'done' AND a.loss_accepted), 0) "
				   "ORDER BY CASE WHEN $2 THEN p.rows END DESC NULLS LAST, p.id DESC LIMIT 1", &own, false);
	found = query.count > 0;
	if (found)
	{
		arguments->count = 7;
		dnc_queue_argument(arguments, TIMESTAMPTZOID, dnc_queue_datum(&query, 0, 1));
		dnc_queue_argument(arguments, TIMESTAMPTZOID, dnc_queue_datum(&query, 0, 2));
	}
	dnc_queue_close(&query);
	return found;
}

/*
 * Why a pass must not be merged, in the database's encoding; NULL: nothing is wrong.  The
 * arguments are those of the merge.
 */
const char *
dnc_loss_check(const DncPass *pass, const DncQueueArguments *arguments)
{
	DncQueueArguments more = *arguments;

	if (dnc_mirror_count(pass->mirror, "SELECT count(*) FROM (SELECT FROM " DNC_MIRROR_STAGED " s LIMIT 1) one",
						 NULL) == 0)
		return "The list is empty.";
	for (int largest = 0; largest <= 1; largest++)
	{
		Loss		loss;

		if (!find_pass(pass, largest, &more))
			continue;
		loss = compare(pass, &more);
		if (loss.lost > ALWAYS_ALLOWED && (double) loss.lost > pass->mirror->max_loss * (double) loss.entries)
			return psprintf("%lld of %lld entries are missing that were on the list %s: more than max_loss (%g) allows.",
							(long long) loss.lost, (long long) loss.entries,
							largest ? "within the last 7 days" : "at the last complete pass",
							pass->mirror->max_loss);
	}
	return NULL;
}
