/*-------------------------------------------------------------------------
 *
 * compare.c
 *		How a full pass differs from its mirror.
 *
 * The whole list and the whole mirror are joined here, once.  What differs goes into the
 * staging table, as rows with a turn of their own, so that all steps of the merge are
 * about these rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "mirror/compare.h"
#include "mirror/statements.h"

/* Was row m seen before the pass began, and not by a delta since?  Only then can it be missing. */
#define IS_OLDER "m.first_seen < $1 AND (m.seen_at IS NULL OR m.seen_at < $1)"

/* The mirrored columns of what the pass has seen; of an entry that it has not, those of the mirror. */
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

/* Has the mirror no entries at all? */
static bool
is_empty(const DncMirror *mirror)
{
	return dnc_mirror_count(mirror, "SELECT count(*) FROM (SELECT FROM {mirror} m WHERE m.gone_at IS NULL LIMIT 1) one",
							NULL) == 0;
}

/*
 * Compare a full pass, each of whose entries is staged once, with its mirror.  Stores what
 * differs, and how many there are of each kind.  arguments are those of the merge.
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
