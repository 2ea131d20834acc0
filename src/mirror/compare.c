/*-------------------------------------------------------------------------
 *
 * compare.c
 *		How a full pass differs from its mirror.
 *
 * We join the whole list with the whole mirror, once.  The entries that differ go into the
 * staging table, as rows with turns of their own.  So all steps of the merge only look at these
 * rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "mirror/compare.h"
#include "mirror/statements.h"

/* Was row m last read before the pass began?  Only then can its entry be missing. */
#define IS_OLDER "m.first_seen < $1 AND (m.seen_at IS NULL OR m.seen_at < $1)"

/*
 * The mirrored columns for a row that differs, with a comma behind each.  The values are those
 * that the pass has read; for an entry that the pass has not seen, they are the mirror's.
 */
static char *
either_columns(const DncMirror *mirror)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, mirror->attributes)
	{
		Form_pg_attribute att = TupleDescAttr(mirror->desc, lfirst_int(cell) - 1);
		const char *name = quote_identifier(NameStr(att->attname));

		appendStringInfo(&text, "CASE WHEN s.identity IS NULL THEN m.%s ELSE s.%s END, ", name, name);
	}
	return text.data;
}

/* Does the mirror have no entry that is still listed? */
static bool
is_empty(const DncMirror *mirror)
{
	return dnc_mirror_count(mirror, "SELECT count(*) FROM (SELECT FROM {mirror} m WHERE m.gone_at IS NULL LIMIT 1) one",
							NULL) == 0;
}

/*
 * Compare a full pass with its mirror.  Each entry must be staged once.  Stores the entries that
 * differ in the staging table, and their numbers in *differences.  If the mirror is empty, all
 * entries are new, and we store none.  arguments are those of the merge.
 */
void
dnc_compare(const DncPass *pass, const DncQueueArguments *arguments, DncDifferences *differences)
{
	const DncMirror *mirror = pass->mirror;
	DncQueueArguments when = {0};
	DncQueueQuery query;

	memset(differences, 0, sizeof(*differences));
	differences->from_nothing = is_empty(mirror);
	if (differences->from_nothing)
		return;
	dnc_queue_argument(&when, arguments->types[0], arguments->values[0]);
	dnc_mirror_open(&query, mirror,
					psprintf("WITH stored AS (INSERT INTO {staging} ({columns}, match_key, identity, read_at, turn) "
							 "SELECT %scoalesce(s.match_key, m.match_key), coalesce(s.identity, m.identity), "
							 "coalesce(s.read_at, $1), CASE WHEN s.identity IS NULL THEN " DNC_MIRROR_TURN_MISSING
							 " WHEN m.identity IS NULL THEN " DNC_MIRROR_TURN_NEW " ELSE " DNC_MIRROR_TURN_CHANGED " END "
							 "FROM (SELECT * FROM {mirror} WHERE gone_at IS NULL) m FULL JOIN " DNC_MIRROR_STAGED " s "
							 "ON s.identity = m.identity WHERE CASE WHEN s.identity IS NULL THEN " IS_OLDER " "
							 "WHEN m.identity IS NULL THEN true ELSE m.missed > 0 OR "
							 "record_image_ne(ROW({m.all}, m.match_key), ROW({s.all}, s.match_key)) END RETURNING turn) "
							 "SELECT count(*) FILTER (WHERE turn = " DNC_MIRROR_TURN_MISSING "), count(*) FILTER (WHERE turn = "
							 DNC_MIRROR_TURN_NEW "), count(*) FILTER (WHERE turn = " DNC_MIRROR_TURN_CHANGED ") FROM stored",
							 either_columns(mirror)), &when);
	differences->missing = DatumGetInt64(dnc_queue_datum(&query, 0, 1));
	differences->added = DatumGetInt64(dnc_queue_datum(&query, 0, 2));
	differences->changed = DatumGetInt64(dnc_queue_datum(&query, 0, 3));
	dnc_queue_close(&query);
}
