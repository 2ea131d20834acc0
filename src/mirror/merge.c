/*-------------------------------------------------------------------------
 *
 * merge.c
 *		Brings the entries that a pass has read into the mirror.
 *
 * A merge is one transaction, so readers see the mirror before or after the merge.  It writes
 * only the entries that differ.  New entries are known at once.  We count an entry as missing
 * if the pass has not seen it.  It goes if we have removed it ourselves, or if it was missing
 * from several passes and a lookup, where the API has lookups, has not found it.
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

/* A merge under way, with the numbers of rows that it has written. */
typedef struct Merge
{
	DncPass    *pass;
	const DncMirror *mirror;
	TimestampTz now;			/* when the merge began: becomes merged_at of the list */
	DncQueueArguments arguments;
	DncDifferences differences;
	bool		has_removed;	/* our own removals exist that the mirror may not know of */
	int64		added;
	int64		changed;
	int64		missing;
	int64		gone;
} Merge;

/*
 * When the entry of row m, which is missing, was seen last: by the last complete pass, or by a
 * delta since.  If a clock was set back, that may seem to be later than this pass, so we take the
 * beginning of this pass at the latest.
 */
#define LAST_SEEN "least($1, coalesce(m.last_seen, greatest($2, m.first_seen)))"

/* Run a statement with the arguments of the merge.  Returns how many rows it has changed. */
static int64
run(Merge *merge, const char *template)
{
	CHECK_FOR_INTERRUPTS();
	return (int64) dnc_mirror_run(merge->mirror, template, &merge->arguments);
}

/* Does a query return a row? */
static bool
has_row(const Merge *merge, const char *query)
{
	return dnc_mirror_count(merge->mirror, psprintf("SELECT count(*) FROM (%s LIMIT 1) one", query), NULL) > 0;
}

/*
 * Begin a merge: lock the tables, and prepare the arguments of all statements.  $1 is when the
 * pass began.  $2 and $3 are when the last complete pass began and was merged.  $4 is gone_after.
 * $5 and $6 are the identities that lookups have found and not found.  $7 says whether the API
 * has lookups.
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
 * Keep one row of each entry, the row that was read last.  A pass that was resumed, or whose list
 * has moved, may have several.  turn is an SQL condition on the column turn, without its left
 * side, that selects the rows of the pass.
 */
static void
drop_repeated(Merge *merge, const char *turn)
{
	run(merge, psprintf("DELETE FROM {staging} s USING (SELECT ctid, row_number() OVER "
						"(PARTITION BY identity ORDER BY read_at DESC, ctid DESC) AS number FROM {staging} WHERE turn %s) d "
						"WHERE s.ctid = d.ctid AND d.number > 1", turn));
}

/* Update entries that have changed, or are back; turn is as for drop_repeated(). */
static void
update_changed(Merge *merge, const char *turn)
{
	merge->changed += run(merge, psprintf(
										  "UPDATE {mirror} m SET ({columns}, match_key, last_seen, missed) = ROW({s.all}, s.match_key, NULL, 0) "
										  "FROM {staging} s WHERE s.turn %s AND s.identity = m.identity AND m.gone_at IS NULL AND (m.missed > 0 OR "
										  "record_image_ne(ROW({m.all}, m.match_key), ROW({s.all}, s.match_key)))", turn));
}

/*
 * Add entries that are new, or new again; turn is as for drop_repeated().  condition is SQL that
 * excludes entries that the mirror has, or is empty.  We also name the columns that must be NULL,
 * since the owner may have given them defaults.
 */
static void
insert_new(Merge *merge, const char *turn, const char *condition)
{
	merge->added += run(merge, psprintf("INSERT INTO {mirror} ({columns}, match_key, identity, first_seen, missed, last_seen, gone_at, seen_at) "
										"SELECT {s.all}, s.match_key, s.identity, $1, 0, NULL, NULL, NULL FROM {staging} s WHERE s.turn %s%s",
										turn, condition));
}

/*
 * Raise 55000 if fewer rows were written than differ.  We know of nothing that could still keep
 * rows out.  But if something does, we must not lose a person silently.
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

/* Bring the entries that a full pass has seen into the mirror; rows is their number. */
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
 * For entries that a full pass has seen and that we have removed ourselves, store when the pass
 * read them: a removal hides them only if it was begun later.  For other entries, seen_at is NULL,
 * which stands for the time of the merge.  So a removal that was begun before the merge, and that
 * the merge does not see yet, cannot hide them.
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
		"WHERE s.identity = m.identity AND m.gone_at IS NULL AND m.seen_at < s.read_at");
}

/* Store for each entry of a delta when it was read, which is later than the last full pass. */
static void
note_when_delta_read(Merge *merge)
{
	run(merge, "UPDATE {mirror} m SET seen_at = s.read_at FROM {staging} s WHERE s.turn = 0 AND "
		"s.identity = m.identity AND m.gone_at IS NULL AND m.seen_at IS DISTINCT FROM s.read_at");
}

/* ----- entries that the pass has not seen ----- */

/* Let entries go that we have removed ourselves, if that was confirmed before the pass began. */
static void
let_removed_go(Merge *merge)
{
	merge->gone += run(merge,
					   "UPDATE {mirror} m SET gone_at = $1, missed = 0, last_seen = " LAST_SEEN " "
					   "FROM " DNC_MIRROR_REMOVED " r, " DNC_MIRROR_MISSING " x WHERE " DNC_MIRROR_IS_MISSING " AND "
					   DNC_MIRROR_IS_REMOVED " AND r.done_at < $1 AND r.requested_at > coalesce(m.seen_at, $3)");
}

/*
 * Keep the entries hidden whose removals were confirmed while the pass ran.  Without seen_at, they
 * would count as read by this merge, and so as read after the removals.
 */
static void
keep_removed_hidden(Merge *merge)
{
	run(merge, "UPDATE {mirror} m SET seen_at = $3 FROM " DNC_MIRROR_REMOVED " r, " DNC_MIRROR_MISSING " x WHERE "
		DNC_MIRROR_IS_MISSING " AND " DNC_MIRROR_IS_REMOVED " AND m.seen_at IS NULL AND r.requested_at > $3");
}

/*
 * Let entries go that were missing for long enough.  They are gone since the pass began.  So an
 * addition that was acknowledged after that time stays known.
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
 * Count the other entries as missing.  If we have added an entry since this pass began, we do not
 * count.  If we have added it since the last complete pass began, the count begins anew with 1.
 * If a lookup has found it, the count is 0.
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

/* ----- the record of the merge ----- */

/*
 * Store how fresh the mirror is now, and from when on it needs our own writes.  It needs all
 * additions that no pass has shown, and all writes since the complete pass before this one began:
 * a transaction may commit long after its writes were acknowledged.
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

/* Renew the planner's statistics of the mirror if more than a tenth of the entries changed. */
static void
renew_statistics(Merge *merge)
{
	if ((merge->added + merge->changed + merge->missing) * 10 > merge->pass->rows)
		run(merge, "ANALYZE {mirror}");
}

/* Store the results of the merge and the certificate with the pass, and end the pass. */
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

/*
 * Check that the staging table has all rows that the pass has stored.  Returns NULL, or a sentence
 * that says what is missing.
 */
static const char *
find_lost_rows(const DncPass *pass, const DncCertificate *certificate)
{
	int64		rows = certificate->rows + certificate->repeated;

	if (rows == pass->rows)
		return NULL;
	return psprintf("The staging table %s has %lld rows, and the pass has stored %lld.",
					pass->mirror->staging_name, (long long) rows, (long long) pass->rows);
}

/* Merge a full pass: see dnc_merge_full(). */
static const char *
merge_full(DncPass *pass, bool accept_loss, bool *is_loss)
{
	Merge		merge;
	DncCertificate certificate;
	const char *problem;

	begin(&merge, pass);
	dnc_certificate_make(pass->mirror, &certificate);
	problem = find_lost_rows(pass, &certificate);
	*is_loss = problem == NULL;
	if (problem)
	{
		dnc_pass_end(pass, "failed", problem);
		return problem;
	}
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
	/* From here on, a removal of ours counts only if it was sent to the list that we have read. */
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
 * Merge a full pass that has read its list to the end.  Returns NULL, or a sentence that says why
 * the pass fails.  If it fails, the mirror stays as it was, and only the pass ends.  The caller
 * commits either way.  *is_loss: the list has lost entries, which accept_loss would accept; otherwise
 * the pass has lost some, and the next one begins anew.  Raises 55000 if the merge could lose entries.
 *
 * We turn nested loops off, since all joins are of whole sets.  The planner thinks that hardly any
 * entry is missing or our own, and would scan the staging table once for each of these.
 */
const char *
dnc_merge_full(DncPass *pass, bool accept_loss, bool *is_loss)
{
	int			settings = NewGUCNestLevel();
	const char *problem;

	(void) set_config_option("enable_nestloop", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	problem = merge_full(pass, accept_loss, is_loss);
	AtEOXact_GUC(false, settings);
	return problem;
}

/*
 * Raise 55000 if somebody has emptied the mirror since the delta began.  Otherwise the guard would
 * take the few new entries for the whole list.  Our lock keeps DELETE and TRUNCATE out until the
 * merge is committed.
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
 * Merge a delta: add and update entries, but let none go.  complete: the delta has read all new
 * entries; otherwise the pass ends as partial.  The caller commits.  Raises 55000 if the merge
 * could lose entries, or if the mirror is empty.
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
