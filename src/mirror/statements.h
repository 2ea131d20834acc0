/*-------------------------------------------------------------------------
 *
 * statements.h
 *		Parts of SQL that several files of the mirror use.
 *
 * See dnc_mirror_sql() for the names in braces.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_MIRROR_STATEMENTS_H
#define DNC_MIRROR_STATEMENTS_H

/*
 * Is row m of the mirror the entry that our own confirmed removal r took?  A removal that names
 * an id takes no entry with another id.
 */
#define DNC_MIRROR_IS_REMOVED \
	"(r.match_key = m.match_key AND " \
	"(r.identifier IS NULL OR r.identifier COLLATE \"C\" = m.{identifier}::text COLLATE \"C\") AND " \
	"(r.identifier_type IS NULL OR r.identifier_type COLLATE \"C\" = m.{type}::text COLLATE \"C\") AND " \
	"(r.entry_id IS NULL OR starts_with(m.identity, r.entry_id || chr(10))) AND " \
	"(r.entry_id IS NOT NULL OR r.identifier IS NOT NULL))"

#define DNC_MIRROR_REMOVED "{extension}.dnc_fdw_mirror_removed({source}::regclass)"
#define DNC_MIRROR_ADDED "{extension}.dnc_fdw_mirror_added({source}::regclass)"

/* Did we read row m before we began a removal that took its entry?  Then the removal hides it. */
#define DNC_MIRROR_IS_HIDDEN \
	"EXISTS (SELECT FROM " DNC_MIRROR_REMOVED " r WHERE " DNC_MIRROR_IS_REMOVED \
	" AND r.requested_at > coalesce(m.seen_at, r.merged_at))"

/* Is row m an entry for the person and type of our own addition a?  Some vendors have no types. */
#define DNC_MIRROR_IS_ADDED \
	"(m.match_key = a.match_key AND " \
	"(a.identifier_type IS NULL OR m.{type}::text COLLATE \"C\" = a.identifier_type COLLATE \"C\"))"

/* Does row m have the identifier of our own addition a, apart from case and a leading plus? */
#define DNC_MIRROR_IS_SPELLED \
	"lower(ltrim(m.{identifier}::text, '+') COLLATE \"C\") = lower(ltrim(a.identifier, '+') COLLATE \"C\")"

/*
 * Does the mirror make it needless to show our own addition a?  It does if it shows an entry of
 * the person.  It also does if the added entry is gone now, but a pass that began after the
 * addition saw it.
 */
#define DNC_MIRROR_IS_SHOWN \
	"EXISTS (SELECT FROM {mirror} m WHERE " DNC_MIRROR_IS_ADDED " AND " \
	"(m.gone_at IS NULL OR (m.last_seen >= a.done_at AND " DNC_MIRROR_IS_SPELLED ")) AND NOT " DNC_MIRROR_IS_HIDDEN ")"

/*
 * Has no pass seen our own addition a?  The mirror may still show an earlier entry for the same
 * identifier, which passes miss now.  When that entry goes, the view needs the addition, so the
 * addition counts as unseen.  These are two conditions, so that each can be a join.
 */
#define DNC_MIRROR_IS_UNSEEN \
	"NOT EXISTS (SELECT FROM {mirror} m WHERE " DNC_MIRROR_IS_ADDED " AND " DNC_MIRROR_IS_SPELLED " AND m.last_seen >= a.done_at) AND " \
	"NOT EXISTS (SELECT FROM {mirror} m WHERE " DNC_MIRROR_IS_ADDED " AND " DNC_MIRROR_IS_SPELLED " AND m.gone_at IS NULL AND m.last_seen IS NULL AND NOT " \
	DNC_MIRROR_IS_HIDDEN ")"

/* The rows of the staging table that a full pass has read. */
#define DNC_MIRROR_STAGED "(SELECT * FROM {staging} WHERE turn > 0)"

/*
 * dnc_compare() adds rows with these turns to the staging table: entries of the mirror that a full
 * pass has not seen, entries that are new, and entries that have changed or are back.
 */
#define DNC_MIRROR_TURN_MISSING "-1"
#define DNC_MIRROR_TURN_NEW "-2"
#define DNC_MIRROR_TURN_CHANGED "-3"

/*
 * The missing entries, for an alias x; and a condition: is row m the missing entry x?  Only an
 * entry that was known before the pass began can be missing.
 */
#define DNC_MIRROR_MISSING "(SELECT identity FROM {staging} WHERE turn = " DNC_MIRROR_TURN_MISSING ")"
#define DNC_MIRROR_IS_MISSING "(m.gone_at IS NULL AND m.identity = x.identity)"

#endif							/* DNC_MIRROR_STATEMENTS_H */
