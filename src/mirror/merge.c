/*-------------------------------------------------------------------------
 *
 * merge.c
 *		Brings the entries that a pass has read into the mirror.
 *
 * A merge is one transaction, and writes what differs only.  Readers see the mirror before
 * it or after it.  New entries go in at once.  An entry that the pass has not seen is
 * counted as missing; it goes when it was missing from several passes, and was looked up
 * where the API can do that, or when we have removed it ourselves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "match/version.h"
#include "mirror/certificate.h"
#include "mirror/columns.h"
#include "mirror/compare.h"
#include "mirror/loss.h"
#include "mirror/merge.h"
#include "mirror/own.h"
#include "mirror/rekey.h"
#include "mirror/statements.h"
#include "queue/forget.h"
#include "queue/record.h"

/* A merge that runs, and what it has come to. */
typedef struct Merge
{
	DncPass    *pass;
	const DncMirror *mirror;
	TimestampTz now;			/* rows that were read earlier are as old as their pass */
	DncQueueArguments arguments;
	DncDifferences differences;
	bool		has_removed;	/* there are removals of our own that the mirror may not know of */
	int64		added;
	int64		changed;
	int64		missing;
	int64		gone;
} Merge;

/*
 * When row m, which is missing, was seen last: by the last complete pass, or by a delta since.
 * That was before this pass, whatever a clock has said that was set back.
 */
#define LAST_SEEN "least($1, coalesce(m.last_seen, greatest($2, m.first_seen)))"

/* Run one statement of a merge, with the arguments of all. */
static int64
run(Merge *merge, const char *template)
{
	CHECK_FOR_INTERRUPTS();
	return (int64) dnc_mirror_run(merge->mirror, template, &merge->arguments);
}

/* Does a query give a row? */
static bool
has_row(const Merge *merge, const char *query)
{
	return dnc_mirror_count(merge->mirror, psprintf("SELECT count(*) FROM (%s LIMIT 1) one", query), NULL) > 0;
}

/*
 * The arguments of all statements: $1 when the pass began, $2 and $3 when the last complete
 * pass began and was merged, $4 gone_after, $5 and $6 identities that were looked up and are
 * on the list, or not, $7 whether the API has lookups.
 */
static void
begin(Merge *merge, DncPass *pass)
{
	const DncMirror *mirror = pass->mirror;

	dnc_columns_require_lossless(mirror);
	dnc_own_disbelieve_future();
	memset(merge, 0, sizeof(*merge));
	merge->pass = pass;
	merge->mirror = mirror;
	merge->now = GetCurrentTimestamp();
	dnc_queue_time_argument(&merge->arguments, pass->began_at);
	dnc_queue_time_argument(&merge->arguments, mirror->complete_as_of);
	dnc_queue_time_argument(&merge->arguments, mirror->merged_at);
	dnc_queue_argument(&merge->arguments, INT4OID, Int32GetDatum(mirror->gone_after));
	dnc_queue_argument(&merge->arguments, TEXTARRAYOID, dnc_pass_identities(pass->there));
	dnc_queue_argument(&merge->arguments, TEXTARRAYOID, dnc_pass_identities(pass->not_there));
	dnc_queue_argument(&merge->arguments, BOOLOID,
					   BoolGetDatum(dnc_record_can_look_up(mirror->options->provider)));
}

/* ----- entries that the pass has seen ----- */

/*
 * Keep one row of each entry: that which was read last.  A pass that was resumed has others,
 * and so has one whose list has moved.  turn tells the rows of the pass.
 */
static void
drop_repeated(Merge *merge, const char *turn)
{
	run(merge, psprintf("DELETE FROM {staging} s USING (SELECT ctid, row_number() OVER "
						"(PARTITION BY identity ORDER BY read_at DESC, ctid DESC) AS number FROM {staging} WHERE turn %s) d "
						"WHERE s.ctid = d.ctid AND d.number > 1", turn));
}

/* Update entries that have changed, or are back; turn tells the rows of the pass. */
static void
update_changed(Merge *merge, const char *turn)
{
	merge->changed += run(merge, psprintf(
										  "UPDATE {mirror} m SET ({columns}, match_key, last_seen, missed) = ROW({s.all}, s.match_key, NULL, 0) "
										  "FROM {staging} s WHERE s.turn %s AND s.identity = m.identity AND m.gone_at IS NULL AND (m.missed > 0 OR "
										  "record_image_ne(ROW({m.all}, m.match_key), ROW({s.all}, s.match_key)))", turn));
}

/*
 * Add entries that are new, or new again; condition: others are there.  We name the columns that are
 * to be NULL, too: the owner may have given them defaults.
 */
static void
insert_new(Merge *merge, const char *turn, const char *condition)
{
	merge->added += run(merge, psprintf("INSERT INTO {mirror} ({columns}, match_key, identity, first_seen, missed, last_seen, gone_at, seen_at) "
										"SELECT {s.all}, s.match_key, s.identity, $1, 0, NULL, NULL, NULL FROM {staging} s WHERE s.turn %s%s",
										turn, condition));
}

/*
 * Raise 55000 unless as many rows were written as differ.  Nothing that we know of keeps rows out
 * by now; but nobody is to be lost in silence.
 */
static void
require_written(const Merge *merge, int64 wanted, int64 written)
{
	if (written < wanted)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the merge of a pass over \"%s\" would lose entries", get_rel_name(merge->mirror->source)),
				 errdetail("%lld of %lld rows were written to %s.", (long long) written, (long long) wanted,
						   merge->mirror->mirror_name),
				 errhint("Look for triggers, rules and policies of this table, and for what else writes to it.")));
}

/* Bring what a full pass has seen into the mirror; rows is how many entries that are. */
static void
take_in(Merge *merge, int64 rows)
{
	const DncDifferences *differences = &merge->differences;

	if (differences->changed > 0)
		update_changed(merge, "= " DNC_MIRROR_TURN_CHANGED);
	if (differences->from_nothing)
		insert_new(merge, "> 0", "");
	else if (differences->added > 0)
		insert_new(merge, "= " DNC_MIRROR_TURN_NEW, "");
	require_written(merge, differences->changed, merge->changed);
	require_written(merge, differences->from_nothing ? rows : differences->added, merge->added);
}

/*
 * Note when a full pass has read the entries that we have removed ourselves: the removal
 * hides them only if it was begun later.  The others are as if read by the merge, so that no
 * removal can hide them of which the merge does not know yet.
 */
static void
note_when_read(Merge *merge)
{
	if (merge->has_removed)
		run(merge, "UPDATE {mirror} m SET seen_at = greatest(m.seen_at, s.read_at) FROM " DNC_MIRROR_STAGED " s, " DNC_MIRROR_REMOVED " r "
			"WHERE s.identity = m.identity AND m.gone_at IS NULL AND " DNC_MIRROR_IS_REMOVED);
	if (!has_row(merge, "SELECT FROM {mirror} m WHERE m.gone_at IS NULL AND m.seen_at IS NOT NULL"))
		return;
	run(merge, "UPDATE {mirror} m SET seen_at = NULL FROM " DNC_MIRROR_STAGED " s "
		"WHERE s.identity = m.identity AND m.gone_at IS NULL AND m.seen_at IS NOT NULL AND NOT EXISTS "
		"(SELECT FROM " DNC_MIRROR_REMOVED " r WHERE " DNC_MIRROR_IS_REMOVED ")");
}

/* Note when a delta has read its entries, all of them: it is later than the last full pass. */
static void
note_when_delta_read(Merge *merge)
{
	run(merge, "UPDATE {mirror} m SET seen_at = s.read_at FROM {staging} s WHERE s.turn = 0 AND "
		"s.identity = m.identity AND m.gone_at IS NULL AND m.seen_at IS DISTINCT FROM s.read_at");
}

/* ----- entries that the pass has not seen ----- */

/* Our own removals, confirmed before the pass began: the pass has proven them. */
static void
let_removed_go(Merge *merge)
{
	merge->gone += run(merge,
					   "UPDATE {mirror} m SET gone_at = $1, missed = 0, last_seen = " LAST_SEEN " "
					   "FROM " DNC_MIRROR_REMOVED " r, " DNC_MIRROR_MISSING " x WHERE " DNC_MIRROR_IS_MISSING " AND "
					   DNC_MIRROR_IS_REMOVED " AND r.done_at < $1 AND r.requested_at > coalesce(m.seen_at, $3)");
}

/*
 * Those that were confirmed while the pass ran hide their entries on: this merge must not
 * make the entries younger than the removals.
 */
static void
keep_removed_hidden(Merge *merge)
{
	run(merge, "UPDATE {mirror} m SET seen_at = $3 FROM " DNC_MIRROR_REMOVED " r, " DNC_MIRROR_MISSING " x WHERE "
		DNC_MIRROR_IS_MISSING " AND " DNC_MIRROR_IS_REMOVED " AND m.seen_at IS NULL AND r.requested_at > $3");
}

/*
 * Let entries go that were missing for long enough.  They are gone as of the moment when the
 * pass began, so that an addition that was acknowledged later stays known.
 */
static void
let_missing_go(Merge *merge)
{
	merge->gone += run(merge,
					   "UPDATE {mirror} g SET gone_at = $1 FROM (SELECT m.identity, count(e.identity) > 0 AS is_elsewhere "
					   "FROM " DNC_MIRROR_MISSING " x JOIN {mirror} m ON " DNC_MIRROR_IS_MISSING " "
					   "LEFT JOIN " DNC_MIRROR_STAGED " e ON e.match_key = m.match_key AND "
					   "e.{type}::text IS NOT DISTINCT FROM m.{type}::text "
					   "WHERE $4 > 0 AND m.missed >= $4 GROUP BY m.identity) c "
					   "WHERE g.identity = c.identity AND g.gone_at IS NULL AND "
					   "(NOT $7 OR c.identity = ANY ($6) OR c.is_elsewhere)");
}

/*
 * Count the others as missing.  We count anew for entries that we have added since the last
 * complete pass began, and not at all for those that we have added since this one did.
 */
static void
count_missing(Merge *merge)
{
	bool		has_added = has_row(merge, "SELECT FROM " DNC_MIRROR_ADDED " a");

	if (merge->differences.missing > 0)
		merge->missing = run(merge, psprintf(
											 "UPDATE {mirror} m SET missed = m.missed + 1, last_seen = " LAST_SEEN " FROM " DNC_MIRROR_MISSING " x "
											 "WHERE " DNC_MIRROR_IS_MISSING " AND m.identity <> ALL ($5)%s", has_added
											 ? " AND NOT EXISTS (SELECT FROM " DNC_MIRROR_ADDED " a WHERE " DNC_MIRROR_IS_ADDED " AND a.done_at >= $1)" : ""));
	if (has_added)
		run(merge, "UPDATE {mirror} m SET missed = 1 FROM " DNC_MIRROR_ADDED " a WHERE " DNC_MIRROR_IS_ADDED
			" AND a.done_at >= $2 AND m.gone_at IS NULL AND m.missed > 1");
	if (merge->pass->there)
		run(merge, "UPDATE {mirror} m SET missed = 0, last_seen = NULL WHERE m.gone_at IS NULL AND "
			"m.missed > 0 AND m.identity = ANY ($5)");
}

/* Deal with the entries that a full pass has not seen. */
static void
take_out(Merge *merge)
{
	bool		any = merge->differences.missing > 0;

	if (any && merge->has_removed)
	{
		let_removed_go(merge);
		if (merge->mirror->complete)
			keep_removed_hidden(merge);
	}
	count_missing(merge);
	if (any)
		let_missing_go(merge);
}

/* ----- what is stored of the merge ----- */

/*
 * Store how fresh the mirror is now, and from when on it needs our own writes: those since
 * the complete pass before this one, since a transaction may commit long after its writes
 * were acknowledged, and the additions that no pass has shown.
 */
static void
update_list(Merge *merge)
{
	DncPass    *pass = merge->pass;
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	Datum		unshown;
	Datum		oldest;

	dnc_mirror_open(&query, merge->mirror,
					"SELECT count(*) FILTER (WHERE a.done_at < $2), coalesce(min(a.done_at), 'infinity') FROM "
					DNC_MIRROR_ADDED " a WHERE a.done_at IS NOT NULL AND " DNC_MIRROR_IS_UNSEEN, &merge->arguments);
	unshown = dnc_queue_datum(&query, 0, 1);
	oldest = dnc_queue_datum(&query, 0, 2);
	dnc_queue_close(&query);
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(merge->mirror->source));
	dnc_queue_text_argument(&arguments, dnc_match_key_version());
	dnc_queue_text_argument(&arguments, merge->mirror->options->default_country);
	dnc_queue_time_argument(&arguments, pass->began_at);
	dnc_queue_time_argument(&arguments, merge->now);
	dnc_queue_text_argument(&arguments, dnc_pass_newest(pass));
	dnc_queue_time_argument(&arguments, pass->newest_at);
	dnc_queue_argument(&arguments, INT8OID, unshown);
	dnc_queue_argument(&arguments, TIMESTAMPTZOID, oldest);
	dnc_queue_argument(&arguments, INT8OID, Int64GetDatum(pass->rows));
	dnc_queue_run("UPDATE %1$s.dnc_fdw_mirror_lists SET key_version = $2, default_country = $3, complete_as_of = $4, "
				  "added_as_of = $4, merged_at = $5, newest = $6, newest_at = $7, unshown = $8, "
				  "needs_since = least(coalesce(complete_as_of, needs_since), $4, $9), entries = $10 WHERE source = $1",
				  &arguments);
}

/* Let the next merge be planned by what there is, not by what there was. */
static void
renew_statistics(Merge *merge)
{
	if ((merge->added + merge->changed + merge->missing) * 10 > merge->pass->rows)
		run(merge, "ANALYZE {mirror}");
}

/* Store what the pass has come to. */
static void
update_pass(Merge *merge, const DncCertificate *certificate, bool loss_accepted)
{
	DncQueueArguments arguments = {0};

	dnc_queue_argument(&arguments, INT8OID, Int64GetDatum(merge->pass->id));
	dnc_queue_argument(&arguments, INT8OID, Int64GetDatum(merge->added));
	dnc_queue_argument(&arguments, INT8OID, Int64GetDatum(merge->changed));
	dnc_queue_argument(&arguments, INT8OID, Int64GetDatum(merge->missing));
	dnc_queue_argument(&arguments, INT8OID, Int64GetDatum(merge->gone));
	dnc_queue_argument(&arguments, INT8OID, Int64GetDatum(certificate->wide_keys));
	dnc_queue_text_argument(&arguments, certificate->sha256);
	dnc_queue_argument(&arguments, BOOLOID, BoolGetDatum(loss_accepted));
	dnc_queue_argument(&arguments, INT8OID, Int64GetDatum(certificate->rows));
	dnc_queue_run("UPDATE %1$s.dnc_fdw_pass_log SET added = $2, changed = $3, missing = $4, gone = $5, wide_keys = $6, "
				  "sha256 = $7, loss_accepted = $8, rows = $9 WHERE id = $1", &arguments);
	dnc_pass_end(merge->pass, "done", NULL);
}

/* ----- merges ----- */

/* Merge a full pass: see dnc_merge_full(). */
static const char *
merge_full(DncPass *pass, bool accept_loss)
{
	Merge		merge;
	DncCertificate certificate;
	const char *problem;

	begin(&merge, pass);
	dnc_certificate_make(pass->mirror, &certificate);
	if (certificate.repeated > 0)
		drop_repeated(&merge, "> 0");
	run(&merge, "ANALYZE {staging} (identity)");
	dnc_compare(pass, &merge.arguments, &merge.differences);
	problem = dnc_loss_check(pass, &merge.arguments, &merge.differences);
	if (problem && !accept_loss)
	{
		dnc_pass_end(pass, "failed", problem);
		return problem;
	}
	pass->rows = certificate.rows;
	/* From here on, our own removals count that were made from the list which this pass has read. */
	dnc_mirror_set_credential(pass->mirror);
	dnc_rekey(pass->mirror);
	merge.has_removed = has_row(&merge, "SELECT FROM " DNC_MIRROR_REMOVED " r");
	take_out(&merge);
	take_in(&merge, certificate.rows);
	note_when_read(&merge);
	renew_statistics(&merge);
	update_list(&merge);
	update_pass(&merge, &certificate, problem != NULL);
	dnc_forget_finished(pass->mirror->options->serverid);
	return NULL;
}

/*
 * Merge a full pass that has read its list to the end.  Gives back why it fails, NULL if it
 * does not; then nothing but the pass is changed.  The caller commits either way.
 *
 * All joins are of whole sets.  The planner thinks that hardly any entry is missing and
 * hardly any is our own, and would look through the staging table for each of these.
 */
const char *
dnc_merge_full(DncPass *pass, bool accept_loss)
{
	int			settings = NewGUCNestLevel();
	const char *problem;

	(void) set_config_option("enable_nestloop", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	problem = merge_full(pass, accept_loss);
	AtEOXact_GUC(false, settings);
	return problem;
}

/*
 * Raise 55000 if somebody has emptied the mirror since the delta began: the guard would take the few
 * new entries for the whole list.  Our lock keeps others from that until the merge is committed.
 */
static void
require_entries(const Merge *merge)
{
	if (!has_row(merge, "SELECT FROM {mirror} m WHERE m.gone_at IS NULL"))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the mirror of \"%s\" has lost its entries", get_rel_name(merge->mirror->source)),
				 errdetail("A few new entries must not pass for the whole list."),
				 errhint("CALL dnc_fdw_mirror_refresh(%s);", quote_literal_cstr(merge->mirror->source_name))));
}

/*
 * Merge a delta: it adds, and lets nothing go.  One that has not read all that is new is not
 * complete.  The caller commits.
 */
void
dnc_merge_delta(DncPass *pass, bool complete)
{
	Merge		merge;
	DncQueueArguments arguments = {0};

	begin(&merge, pass);
	require_entries(&merge);
	drop_repeated(&merge, "= 0");
	update_changed(&merge, "= 0");
	insert_new(&merge, "= 0",
			   " AND NOT EXISTS (SELECT FROM {mirror} m WHERE m.identity = s.identity AND m.gone_at IS NULL)");
	note_when_delta_read(&merge);
	dnc_queue_argument(&arguments, INT8OID, Int64GetDatum(pass->id));
	dnc_queue_argument(&arguments, INT8OID, Int64GetDatum(merge.added));
	dnc_queue_argument(&arguments, INT8OID, Int64GetDatum(merge.changed));
	dnc_queue_run("UPDATE %1$s.dnc_fdw_pass_log SET added = $2, changed = $3 WHERE id = $1", &arguments);
	arguments.count = 0;
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(pass->mirror->source));
	dnc_queue_time_argument(&arguments, pass->began_at);
	if (complete)
		dnc_queue_run("UPDATE %1$s.dnc_fdw_mirror_lists SET added_as_of = $2 WHERE source = $1", &arguments);
	dnc_pass_end(pass, complete ? "done" : "partial", NULL);
}
