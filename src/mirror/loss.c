/*-------------------------------------------------------------------------
 *
 * loss.c
 *		Is a suspicious part of a list missing?
 *
 * We compare sets, not sizes: if all 100 entries were replaced by others, 100 are missing.  We
 * also compare with the largest pass of the last week, so that a list cannot lose most of its
 * entries little by little.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "mirror/loss.h"
#include "mirror/statements.h"

/* Any list may lose this many entries. */
#define ALWAYS_ALLOWED 20

/* How a pass compares with an earlier one. */
typedef struct Loss
{
	int64		entries;		/* on the list at the earlier pass */
	int64		lost;			/* of these, not seen by this pass */
} Loss;

/* Was the entry of row m on the list at the earlier pass, which began at $8 and ended at $9? */
#define OF_EARLIER "m.first_seen <= $9 AND (m.last_seen IS NULL OR m.last_seen >= $8)"

/* Is the entry of row m gone, but not by our own removal? */
#define GONE "m.gone_at IS NOT NULL AND m.missed > 0"

/*
 * Compare a pass with an earlier complete pass.  An entry is not lost if we have removed it
 * ourselves, or if it was gone and is back.
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

/* Are so few entries missing or gone that we need not compare? */
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
 * Append the times when the largest complete pass of the last seven days began and ended.  Passes
 * before the last accepted loss do not count.  False: there is no such pass.
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
 * Append the times when the last complete pass began and was merged.  False: there was none.  We
 * take them from the mirror's own row.  In a database that was restored from a dump, the log of
 * passes has the OIDs of the old database, so we would not find the pass by this list's OID.  If the
 * server has another account now, the times are forgotten.  Then we compare with all entries that
 * the last pass has seen: these have no last_seen.
 */
static bool
find_last(const DncPass *pass, DncQueueArguments *arguments)
{
	const DncMirror *mirror = pass->mirror;

	dnc_queue_argument(arguments, TIMESTAMPTZOID,
					   TimestampTzGetDatum(mirror->complete ? mirror->complete_as_of : DT_NOEND));
	dnc_queue_argument(arguments, TIMESTAMPTZOID,
					   TimestampTzGetDatum(mirror->complete ? mirror->merged_at : DT_NOEND));
	return mirror->key_version != NULL;
}

/*
 * Check whether a full pass may be merged.  Returns a sentence in the database's encoding that
 * says why it must not; NULL: it may.  arguments and *differences are those of the merge.
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
