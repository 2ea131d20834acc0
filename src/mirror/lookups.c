/*-------------------------------------------------------------------------
 *
 * lookups.c
 *		Looks up entries that are missing from several passes.
 *
 * A pass over a list that moves can miss an entry; a lookup cannot.  So if one request can tell
 * whether an identifier is listed, we send it before we let the entry go.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "list/contains.h"
#include "mirror/lookups.h"
#include "mirror/statements.h"
#include "queue/record.h"

/* A pass makes this many lookups at most.  The other entries wait for the next pass. */
#define MAX_LOOKUPS 100

/*
 * Would entry m go with this pass if the pass has not seen it?  $1 is when the pass began, and $2
 * is gone_after.  Mostly this is true of hardly any entry.
 */
#define MAY_GO "m.gone_at IS NULL AND m.first_seen < $1 AND m.missed >= $2 - 1"

/* Is there any entry that may go? */
static bool
may_any_go(const DncPass *pass, const DncQueueArguments *arguments)
{
	return dnc_mirror_count(pass->mirror, "SELECT count(*) FROM (SELECT FROM {mirror} m WHERE " MAY_GO " LIMIT 1) one",
							arguments) > 0;
}

/*
 * Find the entries that would go with this pass, and that it has not looked up yet.  Returns a
 * list of DncCandidate *, palloc'd: as many as the pass may still look up, those first that are
 * missing for longest.  NIL if the API has no lookups, or if entries never go.  An entry whose
 * key and type the pass has seen under another id needs no lookup.  Needs an active snapshot.
 */
List *
dnc_lookups_find(const DncPass *pass)
{
	MemoryContext context = CurrentMemoryContext;
	int			left = MAX_LOOKUPS - list_length(pass->there) - list_length(pass->not_there);
	DncQueueArguments arguments = {0};
	DncQueueQuery query;
	List	   *candidates = NIL;

	if (pass->mirror->gone_after == 0 || !dnc_record_can_look_up(pass->mirror->options->provider))
		return NIL;
	dnc_queue_argument(&arguments, TIMESTAMPTZOID, TimestampTzGetDatum(pass->began_at));
	dnc_queue_argument(&arguments, INT4OID, Int32GetDatum(pass->mirror->gone_after));
	if (!may_any_go(pass, &arguments))
		return NIL;
	dnc_queue_argument(&arguments, TEXTARRAYOID, dnc_pass_identities(pass->there));
	dnc_queue_argument(&arguments, TEXTARRAYOID, dnc_pass_identities(pass->not_there));
	dnc_queue_argument(&arguments, INT4OID, Int32GetDatum(Max(left, 0)));
	dnc_mirror_open(&query, pass->mirror,
					"SELECT m.identity, m.{identifier}::text, m.{type}::text FROM {mirror} m "
					"WHERE " MAY_GO " AND NOT EXISTS (SELECT FROM " DNC_MIRROR_STAGED " s "
					"WHERE s.identity = m.identity) AND m.{identifier} IS NOT NULL "
					"AND m.identity <> ALL ($3) AND m.identity <> ALL ($4) AND NOT EXISTS (SELECT FROM "
					DNC_MIRROR_STAGED " s WHERE s.match_key = m.match_key AND "
					"s.{type}::text IS NOT DISTINCT FROM m.{type}::text) "
					"ORDER BY m.missed DESC, m.identity LIMIT $5", &arguments);
	for (uint64 i = 0; i < query.count; i++)
	{
		DncCandidate *candidate = MemoryContextAlloc(context, sizeof(DncCandidate));
		MemoryContext before;

		candidate->identity = dnc_queue_utf8(&query, i, 1, context);
		candidate->identifier = dnc_queue_utf8(&query, i, 2, context);
		candidate->type = dnc_queue_utf8(&query, i, 3, context);
		before = MemoryContextSwitchTo(context);
		candidates = lappend(candidates, candidate);
		MemoryContextSwitchTo(before);
	}
	dnc_queue_close(&query);
	return candidates;
}

/*
 * Ask the vendor whether an entry is on the list.  If we cannot ask the API for its identifier,
 * the answer is true, so the entry stays.  *asking is true while an error would come from the
 * vendor or the network.
 */
static bool
is_listed(const DncPass *pass, const DncCandidate *candidate, DncCounters *counters, bool *asking)
{
	const DncOptions *options = pass->mirror->options;
	bool		listed;

	if (!dnc_contains_is_lookup(options, candidate->identifier))
		return true;
	*asking = true;
	listed = dnc_contains(options, candidate->identifier, candidate->type, counters, NULL);
	*asking = false;
	return listed;
}

/*
 * Look up an entry, and store the result with the pass.  The pass keeps it in the current context.
 * *asking is true while an error would come from the vendor or the network.  The caller commits.
 * Raises the errors of dnc_contains().
 */
void
dnc_lookups_ask(DncPass *pass, const DncCandidate *candidate, DncCounters *counters, bool *asking)
{
	InvalidateCatalogSnapshot();
	if (is_listed(pass, candidate, counters, asking))
		pass->there = lappend(pass->there, candidate->identity);
	else
		pass->not_there = lappend(pass->not_there, candidate->identity);
	PushActiveSnapshot(GetTransactionSnapshot());
	dnc_pass_save(pass);
	PopActiveSnapshot();
}
