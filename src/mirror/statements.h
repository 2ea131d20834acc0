/*-------------------------------------------------------------------------
 *
 * statements.h
 *		Parts of SQL that several files of the mirror use.
 *
 * For names in braces see dnc_mirror_sql().
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_MIRROR_STATEMENTS_H
#define DNC_MIRROR_STATEMENTS_H

/*
 * Is row m of the mirror the entry of our own confirmed removal r?  A removal that names
 * the entry's id takes no other one.
 */
#define DNC_MIRROR_IS_REMOVED \
	"(r.match_key = m.match_key AND " \
	"(r.identifier IS NULL OR r.identifier COLLATE \"C\" = m.{identifier}::text COLLATE \"C\") AND " \
	"(r.identifier_type IS NULL OR r.identifier_type COLLATE \"C\" = m.{type}::text COLLATE \"C\") AND " \
	"(r.entry_id IS NULL OR starts_with(m.identity, r.entry_id || chr(10))) AND " \
	"(r.entry_id IS NOT NULL OR r.identifier IS NOT NULL))"

#define DNC_MIRROR_REMOVED "{extension}.dnc_fdw_mirror_removed({source}::regclass)"
#define DNC_MIRROR_ADDED "{extension}.dnc_fdw_mirror_added({source}::regclass)"

/* Is row m, read before our own confirmed removal r was begun, hidden by it? */
#define DNC_MIRROR_IS_HIDDEN \
	"EXISTS (SELECT FROM " DNC_MIRROR_REMOVED " r WHERE " DNC_MIRROR_IS_REMOVED \
	" AND r.requested_at > coalesce(m.seen_at, r.merged_at))"

/* Is row m of the mirror what our own addition a has added?  Some vendors have no types. */
#define DNC_MIRROR_IS_ADDED \
	"(m.match_key = a.match_key AND " \
	"(a.identifier_type IS NULL OR m.{type}::text COLLATE \"C\" = a.identifier_type COLLATE \"C\"))"

/* Has it the text that we have added, in whatever case and with a plus or not? */
#define DNC_MIRROR_IS_SPELLED \
	"lower(ltrim(m.{identifier}::text, '+') COLLATE \"C\") = lower(ltrim(a.identifier, '+') COLLATE \"C\")"

/*
 * Does the mirror speak for our own addition a?  It does if it shows an entry of the person,
 * or if that of the addition is gone, and a pass that began after the addition has seen it.
 */
#define DNC_MIRROR_IS_SHOWN \
	"EXISTS (SELECT FROM {mirror} m WHERE " DNC_MIRROR_IS_ADDED " AND " \
	"(m.gone_at IS NULL OR (m.last_seen >= a.done_at AND " DNC_MIRROR_IS_SPELLED ")) AND NOT " DNC_MIRROR_IS_HIDDEN ")"

/*
 * Has no pass seen our own addition a?  The mirror may still show the entry of an earlier
 * time, which is missing.  Once that is gone, the addition has to be there.  Two conditions, so
 * that each can be a join.
 */
#define DNC_MIRROR_IS_UNSEEN \
	"NOT EXISTS (SELECT FROM {mirror} m WHERE " DNC_MIRROR_IS_ADDED " AND " DNC_MIRROR_IS_SPELLED " AND m.last_seen >= a.done_at) AND " \
	"NOT EXISTS (SELECT FROM {mirror} m WHERE " DNC_MIRROR_IS_ADDED " AND " DNC_MIRROR_IS_SPELLED " AND m.gone_at IS NULL AND m.last_seen IS NULL AND NOT " \
	DNC_MIRROR_IS_HIDDEN ")"

/* The rows of the staging table that are of a full pass. */
#define DNC_MIRROR_STAGED "(SELECT * FROM {staging} WHERE turn > 0)"

/*
 * The turn of rows in the staging table that dnc_compare() has made: entries of the mirror that
 * a full pass has not seen, and those that it has seen and that are new, or others.
 */
#define DNC_MIRROR_TURN_MISSING "-1"
#define DNC_MIRROR_TURN_NEW "-2"
#define DNC_MIRROR_TURN_CHANGED "-3"

/* Row m is missing, by row x.  Only entries that were known before the pass began can be. */
#define DNC_MIRROR_MISSING "(SELECT identity FROM {staging} WHERE turn = " DNC_MIRROR_TURN_MISSING ")"
#define DNC_MIRROR_IS_MISSING "(m.gone_at IS NULL AND m.identity = x.identity)"

#endif							/* DNC_MIRROR_STATEMENTS_H */
