/*-------------------------------------------------------------------------
 *
 * statements.h
 *		Parts of SQL that several files of the queue use.
 *
 * %1$s stands for the schema of the extension.  $1 to $4 are this database's origin.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_STATEMENTS_H
#define DNC_QUEUE_STATEMENTS_H

#define DNC_QUEUE_WAITING "%1$s.dnc_fdw_queue_waiting"
#define DNC_QUEUE_FINISHED "%1$s.dnc_fdw_queue_finished"

/*
 * Does row w belong to this database, so that we may send it?  If row w is a removal, it must not
 * come from a copy of the cluster either.
 */
#define DNC_QUEUE_IS_OURS \
	"w.instance = $1 AND w.database = $2 AND " \
	"(w.action = 'add' OR (w.system_identifier = $3 AND w.timeline = $4))"

/* Is row w an addition that came with a copy of a database?  Nobody sends it. */
#define DNC_QUEUE_IS_HELD_ADDITION \
	"w.action = 'add' AND (w.instance <> $1 OR w.database <> $2)"

/*
 * The table of a row.  A dump may have brought the row from another installation.  Then its OID is
 * of another database, and the name counts.
 */
#define DNC_QUEUE_TABLE_OF(row) \
	"(CASE WHEN " row ".instance = (SELECT i.instance FROM %1$s.dnc_fdw_instance i) " \
	"THEN " row ".relation ELSE to_regclass(" row ".relation_name)::oid END)"

/*
 * Is it unknown which server a row is of?  It is if the row's table was dropped, and its server was
 * dropped or renamed.  We do not send such a stray row, but a stray addition still counts on each
 * list of its provider.
 */
#define DNC_QUEUE_IS_STRAY(row) \
	"(NOT EXISTS (SELECT FROM pg_foreign_table t WHERE t.ftrelid = " DNC_QUEUE_TABLE_OF(row) ") AND " \
	"NOT EXISTS (SELECT FROM pg_foreign_server s WHERE s.srvname = " row ".server AND " \
	"concat('provider=', split_part(" row ".account, '/', 1)) = ANY (s.srvoptions)))"

/*
 * Is row w of server $5?  The row's table tells.  If the table was dropped, we compare the
 * provider and the server's name with $6: a server of another provider may have that name now.
 */
#define DNC_QUEUE_IS_OF_SERVER \
	"coalesce((SELECT t.ftserver = $5 FROM pg_foreign_table t WHERE t.ftrelid = " DNC_QUEUE_TABLE_OF("w") "), " \
	"concat(split_part(w.account, '/', 1), '/', w.server) = $6)"

/*
 * Is row w of account $1, or of server $2, whose provider and name are $3?  If the server had
 * another account when the row was written, we compare as DNC_QUEUE_IS_OF_SERVER does.  A stray row
 * counts as well: we cannot rule out that it is of this server.
 */
#define DNC_QUEUE_IS_OF_LIST \
	"(w.account = $1 OR " \
	"coalesce((SELECT t.ftserver = $2 FROM pg_foreign_table t WHERE t.ftrelid = " DNC_QUEUE_TABLE_OF("w") "), " \
	"concat(split_part(w.account, '/', 1), '/', w.server) = $3) OR " \
	"(split_part(w.account, '/', 1) = split_part($3, '/', 1) AND " DNC_QUEUE_IS_STRAY("w") "))"

/*
 * Are rows a and w writes to the same list?  The account tells.  But since one of them was written,
 * a server may have been renamed, or may have got another account.  So we compare those, too.  A
 * stray addition may be one to any list of its provider.
 */
#define DNC_QUEUE_SAME_LIST \
	"(a.account = w.account OR a.server = w.server OR a.relation = w.relation OR " \
	"EXISTS (SELECT FROM pg_foreign_table x JOIN pg_foreign_table y USING (ftserver) " \
	"WHERE x.ftrelid = " DNC_QUEUE_TABLE_OF("a") " AND y.ftrelid = " DNC_QUEUE_TABLE_OF("w") ") OR " \
	"(split_part(a.account, '/', 1) = split_part(w.account, '/', 1) AND " DNC_QUEUE_IS_STRAY("a") "))"

/*
 * Has the time of a next try come?  No write or lane waits for longer than the second argument: a
 * later time is that of a clock that was set back.
 */
#define DNC_QUEUE_HAS_COME(time, longest) \
	"(" time " <= clock_timestamp() OR " time " > clock_timestamp() + interval '" longest "')"
#define DNC_QUEUE_IS_TIME(row) DNC_QUEUE_HAS_COME(row ".next_try", "2 hours")
#define DNC_QUEUE_LANE_IS_TIME(row) DNC_QUEUE_HAS_COME(row ".next_try", "2 days")

/* The identifier of a row, as a vendor may compare it.  Both tables have an index on this. */
#define DNC_QUEUE_FOLDED_LENGTH 400
#define DNC_QUEUE_FOLDED(row) \
	"left(lower(ltrim(" row ".identifier, '+') COLLATE \"C\"), " \
	CppAsString2(DNC_QUEUE_FOLDED_LENGTH) ")"

/*
 * May two rows be about the same person?  The keys tell.  But the same text has another key with
 * another type, or with another default_country.  So we compare the texts, too.
 */
#define DNC_QUEUE_SAME_PERSON(one, other) \
	"(" one ".match_key = " other ".match_key OR " \
	DNC_QUEUE_FOLDED(one) " = " DNC_QUEUE_FOLDED(other) ")"

/* Is row a an addition of the same person that removal w could not see? */
#define DNC_QUEUE_UNSEEN \
	"a.action = 'add' AND " DNC_QUEUE_SAME_PERSON("a", "w") " AND " DNC_QUEUE_SAME_LIST " AND " \
	"(a.instance <> w.instance OR " \
	"(a.xid <> w.xid AND NOT pg_visible_in_snapshot(a.xid, w.snapshot)))"

/* Must removal w not be sent, since somebody has added the person later? */
#define DNC_QUEUE_IS_SUPERSEDED \
	"(EXISTS (SELECT FROM " DNC_QUEUE_WAITING " a WHERE " DNC_QUEUE_UNSEEN ") OR " \
	"EXISTS (SELECT FROM " DNC_QUEUE_FINISHED " a WHERE " DNC_QUEUE_UNSEEN "))"

/* The columns that both tables have behind instance and id, and in front of the column state. */
#define DNC_QUEUE_COLUMNS \
	"database, system_identifier, timeline, server, relation, " \
	"relation_name, role, role_name, " \
	"account, address, action, entry_id, identifier, identifier_type, label, reason, batch_id, " \
	"request_uuid, match_key, xid, snapshot, seen_at"

/*
 * Move the sequence behind the ids of all rows.  Logical replication copies rows, and no sequence.
 */
#define DNC_QUEUE_ADVANCE_IDS \
	"SELECT setval('%1$s.dnc_fdw_queue_id', m.id) FROM %1$s.dnc_fdw_queue_id s, (SELECT greatest(" \
	"(SELECT max(w.id) FROM " DNC_QUEUE_WAITING " w), (SELECT max(f.id) FROM " DNC_QUEUE_FINISHED " f)) AS id) m " \
	"WHERE m.id > s.last_value"

/*
 * Move the waiting rows w that meet a condition to the finished rows.  The other parameters are SQL
 * expressions for columns there: requested_at, done_at and sent_with for the last three.  If another
 * row has the id there, which came without the sequence, the row gets a new id: we must not fail to
 * record an outcome.
 */
#define DNC_QUEUE_FINISH_AT(condition, state, status, sqlstate, message, requested, done, with) \
	"WITH over AS (DELETE FROM " DNC_QUEUE_WAITING " w WHERE " condition " RETURNING w.*) " \
	"INSERT INTO " DNC_QUEUE_FINISHED " (instance, id, " DNC_QUEUE_COLUMNS ", state, attempts, unclear, " \
	"next_try, http_status, sqlstate, message, queued_at, retried_at, requested_at, done_at, sent_with) " \
	"SELECT instance, CASE WHEN EXISTS (SELECT FROM " DNC_QUEUE_FINISHED " o WHERE o.instance = over.instance AND o.id = over.id) " \
	"THEN nextval('%1$s.dnc_fdw_queue_id') ELSE id END, " DNC_QUEUE_COLUMNS ", " state ", attempts, unclear, next_try, " \
	status ", " sqlstate ", " message ", queued_at, retried_at, " requested ", " done ", " with " FROM over"

/* Do the same with rows that end without an answer of the vendor. */
#define DNC_QUEUE_FINISH(condition, state, message) \
	DNC_QUEUE_FINISH_AT(condition, state, "http_status", "sqlstate", message, "requested_at", \
						"clock_timestamp()", "NULL")

#endif							/* DNC_QUEUE_STATEMENTS_H */
