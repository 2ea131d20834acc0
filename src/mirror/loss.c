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
#include "utils/timestamp.h"

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

/* The rows m of entries that were on the list with an earlier pass: $8 and $9 are when that began and ended. */
#define OF_EARLIER "m.first_seen <= $9 AND (m.last_seen IS NULL OR m.last_seen >= $8)"

/* Rows m that are gone since, though not by our own removal. */
#define GONE "m.gone_at IS NOT NULL AND m.missed > 0"

/*
 * Compare a pass with an earlier complete one.  An entry that we have removed ourselves is not
 * lost, nor is one that went and is back.
 */
static Loss
compare(const DncPass *pass, const DncQueueArguments *arguments)
{
	DncQueueQuery query;
	Loss		loss;

	dnc_mirror_open(&query, pass->mirror,
					"SELECT (SELECT count(*) FROM {mirror} m WHERE " OF_EARLIER "), (SELECT count(*) FROM ("
					"SELECT m.* FROM {mirror} m JOIN " DNC_MIRROR_MISSING " x ON " DNC_MIRROR_IS_MISSING " UNION ALL "
					"SELECT m.* FROM {mirror} m LEFT JOIN " DNC_MIRROR_STAGED " s ON s.identity = m.identity "
					"WHERE " GONE " AND s.identity IS NULL) m WHERE " OF_EARLIER
					" AND NOT EXISTS (SELECT FROM " DNC_MIRROR_REMOVED " r WHERE " DNC_MIRROR_IS_REMOVED "))",
					arguments);
	loss.entries = DatumGetInt64(dnc_queue_datum(&query, 0, 1));
	loss.lost = DatumGetInt64(dnc_queue_datum(&query, 0, 2));
	dnc_queue_close(&query);
	return loss;
}

/* Is so little missing that no comparison is needed? */
static bool
is_little(const DncPass *pass, const DncQueueArguments *arguments, const DncDifferences *differences)
{
	int64		gone;

	if (differences->missing > ALWAYS_ALLOWED)
		return false;
	gone = dnc_mirror_count(pass->mirror, psprintf("SELECT count(*) FROM (SELECT FROM {mirror} m WHERE " GONE " AND "
												   OF_EARLIER " LIMIT %d) few", ALWAYS_ALLOWED + 1), arguments);
	return differences->missing + gone <= ALWAYS_ALLOWED;
}

/*
 * Find the largest complete pass of the last seven days that is not older than the last loss
 * that was accepted.  False: there is none.
 */
static bool
find_largest(const DncPass *pass, DncQueueArguments *arguments)
{
	DncQueueArguments own = {0};
	DncQueueQuery query;
	bool		found;

	dnc_queue_argument(&own, OIDOID, ObjectIdGetDatum(pass->mirror->source));
	dnc_queue_open(&query,
				   "SELECT p.began_at, p.ended_at FROM %1$s.dnc_fdw_pass_log p WHERE p.source = $1 AND p.mode = 'full' "
				   "AND p.state = 'done' AND p.began_at > clock_timestamp() - interval '7 days' "
				   "AND p.id >= coalesce((SELECT max(a.id) FROM %1$s.dnc_fdw_pass_log a WHERE a.source = $1 AND "
				   "a.state = 'done' AND a.loss_accepted), 0) ORDER BY p.rows DESC, p.id DESC LIMIT 1", &own, false);
	found = query.count > 0;
	if (found)
	{
		dnc_queue_argument(arguments, TIMESTAMPTZOID, dnc_queue_datum(&query, 0, 1));
		dnc_queue_argument(arguments, TIMESTAMPTZOID, dnc_queue_datum(&query, 0, 2));
	}
	dnc_queue_close(&query);
	return found;
}

/*
 * The last complete pass.  The mirror itself knows when that was: in a database that was
 * restored from a dump, the log has the OIDs of another one.
 */
static bool
find_last(const DncPass *pass, DncQueueArguments *arguments)
{
	dnc_queue_argument(arguments, TIMESTAMPTZOID, TimestampTzGetDatum(pass->mirror->complete_as_of));
	dnc_queue_argument(arguments, TIMESTAMPTZOID, TimestampTzGetDatum(pass->mirror->merged_at));
	return pass->mirror->complete;
}

/*
 * Why a pass must not be merged, in the database's encoding; NULL: nothing is wrong.  The
 * arguments and differences are those of the merge.
 */
const char *
dnc_loss_check(const DncPass *pass, const DncQueueArguments *arguments, const DncDifferences *differences)
{
	if (dnc_mirror_count(pass->mirror, "SELECT count(*) FROM (SELECT FROM " DNC_MIRROR_STAGED " s LIMIT 1) one",
						 NULL) == 0)
		return "The list is empty.";
	for (int largest = 0; largest <= 1; largest++)
	{
		DncQueueArguments more = *arguments;
		Loss		loss;

		if (!(largest ? find_largest(pass, &more) : find_last(pass, &more)))
			continue;
		if (is_little(pass, &more, differences))
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
