/*-------------------------------------------------------------------------
 *
 * bound.c
 *		The bound of a foreign table that is a partition.
 *
 * The list behind a partition knows nothing about the bound, and may hold entries that
 * belong to other partitions.  PostgreSQL trusts the bound: a query for those entries
 * skips this partition.  So we never remove an entry outside the bound through this
 * partition.  A scan leaves such an entry out if the vendor documents its type, because
 * then the entry belongs to another partition.  Otherwise nobody might ever see the
 * entry, so the scan shows it, with a WARNING.
 *
 * A bound on a value that all entries of the list share, such as the server's name,
 * hides nothing: if it is wrong, it is wrong for all of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "rewrite/rewriteManip.h"
#include "utils/partcache.h"
#include "utils/rel.h"

#include "compat.h"
#include "plan/bound.h"
#include "plan/constants.h"

struct DncBound
{
	Relation	relation;
	const DncOptions *options;
	List	   *clauses;
	bool		never;			/* the bound excludes all entries of the list */
	ExprState  *state;
	ExprContext *context;
	bool		warned;
};

/*
 * The conditions for an entry of the list to be within the bounds of a table: clauses on varno
 * 1, palloc'd.  NIL: the table is no partition, or all entries are within.
 */
List *
dnc_bound_clauses(Relation relation, const DncOptions *options, const DncColumnMap *map)
{
	List	   *clauses = NIL;
	ListCell   *lc;

	if (!relation->rd_rel->relispartition)
		return NIL;
	foreach(lc, RelationGetPartitionQual(relation))
	{
		Node	   *clause = dnc_constants_reduce(NULL, lfirst(lc), 1, options, map);

		if (dnc_constants_is_always(clause))
			continue;
		clauses = lappend(clauses, clause);
	}
	return clauses;
}

/* Are all entries that meet the clauses of a table also within its bound? */
bool
dnc_bound_is_implied(List *bound, RelOptInfo *rel)
{
	if (bound == NIL)
		return true;
	bound = copyObject(bound);
	ChangeVarNodes((Node *) bound, 1, rel->relid, 0);
	return predicate_implied_by(bound, extract_actual_clauses(rel->baserestrictinfo, false), false);
}

/*
 * Prepare to compare rows of a table with its bound; palloc'd in the current context, which
 * must last as long as the query.  NULL: all entries of the list are within.
 */
DncBound *
dnc_bound_begin(Relation relation, const DncOptions *options, const DncColumnMap *map,
				EState *estate)
{
	List	   *clauses = dnc_bound_clauses(relation, options, map);
	DncBound   *bound;
	ListCell   *lc;

	if (clauses == NIL)
		return NULL;
	bound = palloc0(sizeof(DncBound));
	bound->relation = relation;
	bound->options = options;
	bound->clauses = clauses;
	foreach(lc, clauses)
		bound->never = bound->never || dnc_constants_is_never(lfirst(lc));
	bound->state = ExecPrepareCheck(clauses, estate);
	bound->context = CreateExprContext(estate);
	return bound;
}

/* Add the attributes that the bound uses to a set of attribute numbers. */
Bitmapset *
dnc_bound_add_attributes(const DncBound *bound, Bitmapset *attributes)
{
	Bitmapset  *looked_at = NULL;
	int			attribute = -1;

	pull_varattnos((Node *) bound->clauses, 1, &looked_at);
	while ((attribute = bms_next_member(looked_at, attribute)) >= 0)
		attributes = bms_add_member(attributes, attribute + FirstLowInvalidHeapAttributeNumber);
	return attributes;
}

/* Is a row within the bound? */
bool
dnc_bound_holds(DncBound *bound, TupleTableSlot *slot)
{
	bool		holds;

	bound->context->ecxt_scantuple = slot;
	holds = ExecCheck(bound->state, bound->context);
	ResetExprContext(bound->context);
	return holds;
}

/*
 * Does a scan leave out a row?  type is the entry's type, UTF-8, or NULL.  Raises a WARNING for
 * the first row that is outside and shown.
 */
bool
dnc_bound_hides(DncBound *bound, TupleTableSlot *slot, const char *type)
{
	if (dnc_bound_holds(bound, slot))
		return false;
	if (!bound->never && type && dnc_provider_has_type(bound->options->provider, type))
		return true;
	if (!bound->warned)
		ereport(WARNING,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("foreign table \"%s\" has entries outside of its bound as a partition",
						RelationGetRelationName(bound->relation)),
				 errdetail("They are shown, but a query on the partitioned table may skip this partition, and would miss them."),
				 errhint("Query the foreign table itself, and mend the bound.")));
	bound->warned = true;
	return false;
}

/* Refuse to remove a row that is outside of the bound (23514). */
void
dnc_bound_refuse_removal(DncBound *bound, TupleTableSlot *slot)
{
	if (dnc_bound_holds(bound, slot))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("cannot delete an entry outside of the bound of partition \"%s\"",
					RelationGetRelationName(bound->relation)),
			 errdetail("The list of server \"%s\" has it, but it does not belong to this partition.",
					   bound->options->server_name),
			 errhint("Leave it out of the statement, or delete it through a foreign table that is no partition.")));
}
