/*-------------------------------------------------------------------------
 *
 * statements.h
 *		Parts of SQL that several files of the queue use.
 *
 * %1$s is the schema of the extension; $1 to $4 are this database's origin.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_STATEMENTS_H
#define DNC_QUEUE_STATEMENTS_H

#define DNC_QUEUE_WAITING "%1$s.dnc_fdw_queue_waiting"
#define DNC_QUEUE_FINISHED "%1$s.dnc_fdw_queue_finished"

/* Is row w of this database, so that we may send it?  Removals not from a copy of the cluster. */
#define DNC_QUEUE_IS_OURS \
	"w.instance = $1 AND w.database = $2 AND " \
	"(w.action = 'add' OR (w.system_identifier = $3 AND w.timeline = $4))"

/*
 * Are rows a and w writes to one list?  The account says so; but a server may have been
 * renamed, or may have got another account, since one of them was written.
 */
#define DNC_QUEUE_SAME_LIST \
	"(a.account = w.account OR a.server = w.server OR a.relation = w.relation OR " \
	"EXISTS (SELECT FROM pg_foreign_table x JOIN pg_foreign_table y USING (ftserver) " \
	"WHERE x.ftrelid = a.relation AND y.ftrelid = w.relation))"

/* Is addition a of the same person one that removal w could not see? */
#define DNC_QUEUE_UNSEEN \
	"a.action = 'add' AND a.match_key = w.match_key AND " DNC_QUEUE_SAME_LIST " AND " \
	"(a.instance <> w.instance OR " \
	"(a.xid <> w.xid AND NOT pg_visible_in_snapshot(a.xid, w.snapshot)))"

/* Must removal w not be sent, since the person was added later? */
#define DNC_QUEUE_IS_SUPERSEDED \
	"(EXISTS (SELECT FROM " DNC_QUEUE_WAITING " a WHERE " DNC_QUEUE_UNSEEN ") OR " \
	"EXISTS (SELECT FROM " DNC_QUEUE_FINISHED " a WHERE " DNC_QUEUE_UNSEEN "))"

/* The columns of both tables in front of state, and those between message and the end. */
#define DNC_QUEUE_COLUMNS \
	"instance, id, database, system_identifier, timeline, server, relation, " \
	"relation_name, role, role_name, " \
	"account, action, entry_id, identifier, identifier_type, label, reason, batch_id, " \
	"request_uuid, match_key, xid, snapshot"

/*
 * Move the rows of waiting that a condition on w names to the finished ones.  requested and
 * done are times: see dnc_fdw_queue_finished.
 */
#define DNC_QUEUE_FINISH_AT(condition, state, status, sqlstate, message, requested, done) \
	"WITH over AS (DELETE FROM " DNC_QUEUE_WAITING " w WHERE " condition " RETURNING w.*) " \
	"INSERT INTO " DNC_QUEUE_FINISHED " (" DNC_QUEUE_COLUMNS ", state, attempts, unclear, " \
	"next_try, http_status, sqlstate, message, queued_at, retried_at, requested_at, done_at) " \
	"SELECT " DNC_QUEUE_COLUMNS ", " state ", attempts, unclear, next_try, " \
	status ", " sqlstate ", " message ", queued_at, retried_at, " requested ", " done " FROM over"

/* The same for rows that end otherwise than by the vendor's answer. */
#define DNC_QUEUE_FINISH(condition, state, message) \
	DNC_QUEUE_FINISH_AT(condition, state, "http_status", "sqlstate", message, "requested_at", \
						"clock_timestamp()")

#endif							/* DNC_QUEUE_STATEMENTS_H */
