/*-------------------------------------------------------------------------
 *
 * pass.c
 *		A pass over a list: its place in the list, and its results so far.
 *
 * A pass is a row of dnc_fdw_pass_log.  We update the row in the transaction that stores the
 * entries of a page.  So whatever has interrupted the pass, it goes on behind the last stored
 * page.  The vendor's texts in a DncPass are UTF-8, as in DncPosition.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "match/version.h"
#include "mirror/pass.h"

/* If a pass began longer ago than this, it begins anew. */
#define OLDEST_PASS ((int64) 24 * 3600 * USECS_PER_SEC)

/* The names of the orders in dnc_fdw_pass_log; NULL: the pass has seen no order yet. */
static const char *const order_names[] = {
	[DNC_ORDER_ANY] = NULL,
	[DNC_ORDER_NEWEST_FIRST] = "newest first",
	[DNC_ORDER_NEWEST_LAST] = "newest last",
	[DNC_ORDER_NONE] = "none",
};

/* ----- texts and arrays ----- */

/* Append a text that is UTF-8, in the database's encoding; NULL is NULL. */
static void
utf8_argument(DncQueueArguments *arguments, const char *text)
{
	dnc_queue_text_argument(arguments, text ? pg_any_to_server(text, strlen(text), PG_UTF8) : NULL);
}

/* Convert a list of UTF-8 texts to an array of text in the database's encoding; palloc'd. */
Datum
dnc_pass_identities(const List *texts)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(list_length(texts), 1));
	int			count = 0;
	ListCell   *cell;

	foreach(cell, texts)
	{
		const char *text = lfirst(cell);

		elements[count++] = CStringGetTextDatum(pg_any_to_server(text, strlen(text), PG_UTF8));
	}
	return PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Append such an array. */
static void
array_argument(DncQueueArguments *arguments, const List *texts)
{
	dnc_queue_argument(arguments, TEXTARRAYOID, dnc_pass_identities(texts));
}

/* An array of text in the first row of a query's result, as a list of UTF-8 texts in a context. */
static List *
list_of(const DncQueueQuery *query, int column, MemoryContext context)
{
	MemoryContext before = MemoryContextSwitchTo(context);
	bool		isnull;
	Datum		array = SPI_getbinval(query->rows->vals[0], query->rows->tupdesc, column, &isnull);
	List	   *texts = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			count = 0;

	if (!isnull)
		deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
						  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char	   *value = TextDatumGetCString(elements[i]);

		texts = lappend(texts, pstrdup(pg_server_to_any(value, strlen(value), PG_UTF8)));
	}
	MemoryContextSwitchTo(before);
	return texts;
}

/* A number in the first row of a query's result; 0: it is NULL. */
static int64
number_of(const DncQueueQuery *query, int column)
{
	char	   *value = dnc_queue_value(query, 0, column);

	return value ? pg_strtoint64(value) : 0;
}

static bool
is_true(const DncQueueQuery *query, int column)
{
	char	   *value = dnc_queue_value(query, 0, column);

	return value && strcmp(value, "t") == 0;
}

static void
number_argument(DncQueueArguments *arguments, int64 number)
{
	dnc_queue_argument(arguments, INT8OID, Int64GetDatum(number));
}

/* ----- begin and resume ----- */

/*
 * The settings that must stay the same as long as a pass goes on, as one text; palloc'd.  The keys
 * of staged entries depend on default_country, and another token may read another list.
 */
static char *
fingerprint(const DncMirror *mirror)
{
	const DncOptions *options = mirror->options;

	return psprintf("%s %s %d %s %s", mirror->account, options->base_url, options->page_size,
					dnc_queue_credential(options),
					options->default_country ? options->default_country : "-");
}

/* Fill in the position of a pass, from the columns that begin with this one. */
static void
read_position(DncPosition *position, const DncQueueQuery *query, int column, MemoryContext context)
{
	position->generation = dnc_queue_utf8(query, 0, column, context);
	position->page_size = (int) number_of(query, column + 1);
	position->cursor = dnc_queue_utf8(query, 0, column + 2, context);
	position->place = number_of(query, column + 3);
	position->total = number_of(query, column + 4);
	position->moved = is_true(query, column + 5);
	position->given = number_of(query, column + 6);
	position->ids = list_of(query, column + 7, context);
	position->at_end = is_true(query, column + 8);
	position->pages = (int) number_of(query, column + 9);
}

/*
 * Find the full pass of a mirror that is not over, palloc'd in the current context; NULL: there is
 * none.  Needs an active snapshot.
 */
DncPass *
dnc_pass_find(const DncMirror *mirror)
{
	MemoryContext context = CurrentMemoryContext;
	DncPass    *pass = palloc0(sizeof(DncPass));
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	char	   *order;

	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(mirror->source));
	dnc_queue_open(&query,
				   "SELECT p.id, p.began_at, p.turn, p.pages, p.rows, p.requests, p.resumes, p.order_seen, p.newest_at, "
				   "p.last_created_at, p.there, p.not_there, p.generation, p.page_size, p.cursor, p.place, p.total, "
				   "p.moved, p.given, p.ids, p.at_end, p.turn_pages FROM %1$s.dnc_fdw_pass_log p "
				   "WHERE p.source = $1 AND p.state = 'running' AND p.mode = 'full' ORDER BY p.id DESC LIMIT 1",
				   &arguments, false);
	if (query.count == 0)
	{
		dnc_queue_close(&query);
		return NULL;
	}
	pass->mirror = mirror;
	pass->id = number_of(&query, 1);
	pass->began_at = dnc_queue_time(&query, 0, 2);
	pass->turn = (int) number_of(&query, 3);
	pass->pages = number_of(&query, 4);
	pass->rows = number_of(&query, 5);
	pass->requests = number_of(&query, 6);
	pass->resumes = (int) number_of(&query, 7);
	order = dnc_queue_value(&query, 0, 8);
	for (int i = DNC_ORDER_NEWEST_FIRST; order && i <= DNC_ORDER_NONE; i++)
	{
		if (strcmp(order, order_names[i]) == 0)
			pass->order = (DncOrder) i;
	}
	pass->newest_at = dnc_queue_time(&query, 0, 9);
	pass->last_created_at = dnc_queue_time(&query, 0, 10);
	pass->there = list_of(&query, 11, context);
	pass->not_there = list_of(&query, 12, context);
	read_position(&pass->position, &query, 13, context);
	dnc_queue_close(&query);
	return pass;
}

/*
 * Empty the staging table; for a delta, delete only the rows of deltas.  TRUNCATE would wait for
 * a pg_dump that is at work.  So if we cannot have its lock at once, we delete the rows, and a
 * later pass truncates the table.
 */
static void
empty_staging(const DncMirror *mirror, bool delta)
{
	if (delta)
		dnc_mirror_run(mirror, "DELETE FROM {staging} WHERE turn = 0", NULL);
	else if (ConditionalLockRelationOid(mirror->staging, AccessExclusiveLock))
		dnc_mirror_run(mirror, "TRUNCATE {staging}", NULL);
	else
		dnc_mirror_run(mirror, "DELETE FROM {staging}", NULL);
}

/* End a pass of this mode that an interrupted call has left running: a delta never goes on. */
static void
end_interrupted(const DncMirror *mirror, bool delta)
{
	DncQueueArguments arguments = {0};

	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(mirror->source));
	dnc_queue_text_argument(&arguments, delta ? "delta" : "full");
	dnc_queue_run("UPDATE %1$s.dnc_fdw_pass_log SET state = 'failed', ended_at = clock_timestamp(), "
				  "message = 'It was interrupted.' WHERE source = $1 AND mode = $2 AND state = 'running'", &arguments);
}

/* Begin a pass with empty staging, palloc'd in the current context.  Needs an active snapshot. */
DncPass *
dnc_pass_begin(const DncMirror *mirror, bool delta)
{
	DncPass    *pass = palloc0(sizeof(DncPass));
	DncQueueArguments arguments = {0};
	DncQueueQuery query;

	pass->mirror = mirror;
	pass->delta = delta;
	pass->turn = delta ? DNC_TURN_DELTA : 1;
	pass->began_at = GetCurrentTimestamp();
	pass->position.total = -1;
	empty_staging(mirror, delta);
	end_interrupted(mirror, delta);
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(mirror->source));
	dnc_queue_text_argument(&arguments, mirror->source_name);
	dnc_queue_argument(&arguments, OIDOID, ObjectIdGetDatum(mirror->owner));
	dnc_queue_text_argument(&arguments, mirror->account);
	dnc_queue_text_argument(&arguments, delta ? "delta" : "full");
	dnc_queue_time_argument(&arguments, pass->began_at);
	dnc_queue_text_argument(&arguments, dnc_match_key_version());
	dnc_queue_text_argument(&arguments, fingerprint(mirror));
	dnc_queue_argument(&arguments, INT4OID, Int32GetDatum(pass->turn));
	dnc_queue_open(&query,
				   "INSERT INTO %1$s.dnc_fdw_pass_log (id, source, source_name, owner, account, mode, state, began_at, "
				   "key_version, fingerprint, turn) SELECT nextval('%1$s.dnc_fdw_pass_id'), $1, $2, $3, $4, $5, "
				   "'running', $6, $7, $8, $9 RETURNING id", &arguments, false);
	pass->id = DatumGetInt64(dnc_queue_datum(&query, 0, 1));
	dnc_queue_close(&query);
	return pass;
}

/*
 * Check whether an interrupted pass can go on.  Returns NULL, or a sentence that says why it
 * cannot.  Needs an active snapshot.
 */
const char *
dnc_pass_must_restart(const DncPass *pass)
{
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	bool		same;

	if (pass->began_at < GetCurrentTimestamp() - OLDEST_PASS)
		return "It is older than a day.";
	number_argument(&arguments, pass->id);
	dnc_queue_text_argument(&arguments, fingerprint(pass->mirror));
	dnc_queue_text_argument(&arguments, dnc_match_key_version());
	dnc_queue_open(&query, "SELECT p.fingerprint = $2 AND p.key_version = $3 FROM %1$s.dnc_fdw_pass_log p "
				   "WHERE p.id = $1", &arguments, false);
	same = is_true(&query, 1);
	dnc_queue_close(&query);
	return same ? NULL : "The server's options, the token, or the version of the keys, have changed.";
}

/*
 * Begin a pass anew, with an empty staging table.  A NOTICE tells the reason, which is a sentence.
 * Needs an active snapshot.
 */
void
dnc_pass_restart(DncPass *pass, const char *reason)
{
	DncQueueArguments arguments = {0};

	ereport(NOTICE,
			(errmsg("the pass over \"%s\" begins anew", get_rel_name(pass->mirror->source)),
			 errdetail_internal("%s", reason)));
	empty_staging(pass->mirror, pass->delta);
	memset(&pass->position, 0, sizeof(pass->position));
	pass->position.total = -1;
	pass->began_at = GetCurrentTimestamp();
	pass->turn = pass->delta ? DNC_TURN_DELTA : 1;
	pass->pages = pass->rows = 0;
	pass->order = DNC_ORDER_ANY;
	pass->newest_at = pass->last_created_at = 0;
	pass->there = pass->not_there = NIL;
	number_argument(&arguments, pass->id);
	dnc_queue_time_argument(&arguments, pass->began_at);
	dnc_queue_text_argument(&arguments, fingerprint(pass->mirror));
	dnc_queue_text_argument(&arguments, dnc_match_key_version());
	dnc_queue_run("UPDATE %1$s.dnc_fdw_pass_log SET began_at = $2, fingerprint = $3, key_version = $4, "
				  "restarts = restarts + 1 WHERE id = $1", &arguments);
	dnc_pass_save(pass);
}

/* ----- on the way ----- */

/* Did the pass read the list with cursors?  False if it has read no page yet. */
bool
dnc_pass_has_cursors(const DncPass *pass)
{
	const DncPaging *const *pagings = pass->mirror->options->provider->list.pagings;

	for (int i = 0; i < DNC_MAX_PAGINGS && pagings[i] && pass->position.generation; i++)
	{
		if (strcmp(pagings[i]->marker, pass->position.generation) == 0)
			return pagings[i]->style == DNC_PAGING_CURSOR;
	}
	return false;
}

/*
 * The end of the list where new entries stand, so that a delta can begin there: 'first', or 'last'
 * on numbered pages.  NULL: we do not know.
 */
const char *
dnc_pass_newest(const DncPass *pass)
{
	if (pass->order == DNC_ORDER_NEWEST_FIRST)
		return "first";
	return pass->order == DNC_ORDER_NEWEST_LAST && !dnc_pass_has_cursors(pass) ? "last" : NULL;
}

/* Take the created_at of the next entry into the pass's order and times; 0: it has none. */
void
dnc_pass_see(DncPass *pass, TimestampTz created_at)
{
	if (created_at == 0)
	{
		pass->order = DNC_ORDER_NONE;
		return;
	}
	if (pass->last_created_at != 0 && created_at != pass->last_created_at)
	{
		DncOrder	order = created_at < pass->last_created_at ? DNC_ORDER_NEWEST_FIRST : DNC_ORDER_NEWEST_LAST;

		if (pass->order == DNC_ORDER_ANY)
			pass->order = order;
		else if (pass->order != order)
			pass->order = DNC_ORDER_NONE;
	}
	pass->last_created_at = created_at;
	pass->page_newest_at = Max(pass->page_newest_at, created_at);
	if (pass->newest_at == 0 || created_at > pass->newest_at)
		pass->newest_at = created_at;
}

/* Store a pass, and forget the error of an earlier call.  Needs an active snapshot. */
void
dnc_pass_save(const DncPass *pass)
{
	static DncQueuePlan plan;
	const DncPosition *position = &pass->position;
	DncQueueArguments arguments = {0};

	number_argument(&arguments, pass->id);
	number_argument(&arguments, pass->pages);
	number_argument(&arguments, pass->rows);
	number_argument(&arguments, pass->requests);
	number_argument(&arguments, pass->resumes);
	dnc_queue_text_argument(&arguments, order_names[pass->order]);
	dnc_queue_time_argument(&arguments, pass->newest_at);
	dnc_queue_time_argument(&arguments, pass->last_created_at);
	array_argument(&arguments, pass->there);
	array_argument(&arguments, pass->not_there);
	utf8_argument(&arguments, position->generation);
	number_argument(&arguments, position->page_size);
	utf8_argument(&arguments, position->cursor);
	number_argument(&arguments, position->place);
	number_argument(&arguments, position->total);
	dnc_queue_argument(&arguments, BOOLOID, BoolGetDatum(position->moved));
	number_argument(&arguments, position->given);
	array_argument(&arguments, position->ids);
	dnc_queue_argument(&arguments, BOOLOID, BoolGetDatum(position->at_end));
	number_argument(&arguments, position->pages);
	number_argument(&arguments, pass->turn);
	dnc_queue_run_again(&plan, "UPDATE %1$s.dnc_fdw_pass_log SET saved_at = clock_timestamp(), pages = $2, rows = $3, requests = $4, resumes = $5, "
						"order_seen = $6, newest_at = $7, last_created_at = $8, there = $9, not_there = $10, "
						"generation = $11, page_size = $12, cursor = $13, place = $14, total = $15, "
						"remote_total = nullif($15, -1), moved = $16, given = $17, ids = $18, at_end = $19, "
						"turn_pages = $20, turn = $21, sqlstate = NULL, message = NULL WHERE id = $1", &arguments);
}

/* Store the error that has ended a call.  The pass goes on with the next call. */
void
dnc_pass_note_error(int64 id, const char *sqlstate, const char *message)
{
	DncQueueArguments arguments = {0};

	number_argument(&arguments, id);
	dnc_queue_text_argument(&arguments, sqlstate);
	dnc_queue_text_argument(&arguments, message);
	dnc_queue_run("UPDATE %1$s.dnc_fdw_pass_log SET sqlstate = $2, message = $3 WHERE id = $1", &arguments);
}

/*
 * End a pass, and empty its staging.  state is 'done', 'partial' or 'failed'.  message is the
 * reason why the pass failed; NULL: it did not.
 */
void
dnc_pass_end(const DncPass *pass, const char *state, const char *message)
{
	DncQueueArguments arguments = {0};

	number_argument(&arguments, pass->id);
	dnc_queue_text_argument(&arguments, state);
	dnc_queue_text_argument(&arguments, message);
	dnc_queue_text_argument(&arguments, message ? "55000" : NULL);
	number_argument(&arguments, pass->requests);
	dnc_queue_run("UPDATE %1$s.dnc_fdw_pass_log SET state = $2, ended_at = clock_timestamp(), message = $3, "
				  "sqlstate = $4, requests = $5, fingerprint = NULL, cursor = NULL, ids = NULL, there = '{}', "
				  "not_there = '{}' WHERE id = $1", &arguments);
	empty_staging(pass->mirror, pass->delta);
}
