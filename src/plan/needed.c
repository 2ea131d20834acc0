/*-------------------------------------------------------------------------
 *
 * needed.c
 *		The columns that a scan must deliver.
 *
 * Most columns are cheap, so we deliver all of them when the query asks for the whole
 * row.  The column match_key is not cheap: keys of numbers take microseconds each, and a
 * library that may be missing.  PostgreSQL itself asks for whole rows that nobody reads,
 * to delete or to lock a row.  Then we leave match_key out, unless somebody reads it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "parser/parsetree.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"

#include "plan/needed.h"

/* An attribute's number in the result of pull_varattnos(). */
#define MEMBER(attnum) ((attnum) - FirstLowInvalidHeapAttributeNumber)

/* The planner's name for a whole row that it asks for by itself. */
#define ROW_NAME "wholerow"

/* Do expressions read an attribute of a relation, by name or in a whole row? */
static bool
reads(Node *expressions, Index relid, AttrNumber attnum)
{
	Bitmapset  *attrs = NULL;

	pull_varattnos(expressions, relid, &attrs);
	return bms_is_member(MEMBER(attnum), attrs) || bms_is_member(MEMBER(0), attrs);
}

/* Does the output of a query, or its RETURNING, read an attribute of a relation? */
static bool
output_reads(PlannerInfo *root, Index relid, AttrNumber attnum)
{
	ListCell   *lc;

	foreach(lc, root->processed_tlist)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (entry->resjunk && entry->resname &&
			strncmp(entry->resname, ROW_NAME, strlen(ROW_NAME)) == 0)
			continue;
		if (reads((Node *) entry->expr, relid, attnum))
			return true;
	}
	return reads((Node *) root->parse->returningList, relid, attnum);
}

/* Do triggers see the rows that are deleted from a table? */
static bool
triggers_see_rows(Oid relid)
{
	Relation	relation = table_open(relid, NoLock);
	const TriggerDesc *triggers = relation->trigdesc;
	bool		see = triggers && (triggers->trig_delete_before_row ||
								   triggers->trig_delete_after_row ||
								   triggers->trig_delete_old_table);

	table_close(relation, NoLock);
	return see;
}

/* Is a relation a target of the statement, and do triggers see its rows?  relid: its OID. */
static bool
is_seen_by_triggers(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	if (!bms_is_member((int) rel->relid, root->all_result_relids))
		return false;
	return triggers_see_rows(relid) ||
		triggers_see_rows(planner_rt_fetch(root->parse->resultRelation, root)->relid);
}

/*
 * Does somebody read an attribute of the whole row that the scan delivers?  If we cannot tell,
 * the answer is yes.  The caller has already looked for columns that the query names.
 */
static bool
is_row_read(PlannerInfo *root, RelOptInfo *rel, AttrNumber attnum, Oid relid)
{
	CmdType		command = root->parse->commandType;
	Index		index = rel->relid;
	Relids		above;

	if (command != CMD_DELETE && command != CMD_UPDATE &&
		(command != CMD_SELECT || root->rowMarks == NIL))
		return true;
	if (is_seen_by_triggers(root, rel, relid) || output_reads(root, index, attnum))
		return true;

	/* For a partition, the query names columns of its ancestors. */
	while (root->append_rel_array && root->append_rel_array[index])
	{
		const AppendRelInfo *parent = root->append_rel_array[index];

		attnum = attnum > 0 && attnum <= parent->num_child_cols
			? parent->parent_colnos[attnum - 1] : 0;
		index = parent->parent_relid;
		if (output_reads(root, index, attnum))
			return true;
	}
	/* Check joins, and expressions above them.  0 is the output, which we have checked. */
	rel = find_base_rel(root, index);
	above = rel->min_attr > 0 ? NULL : rel->attr_needed[0 - rel->min_attr];
	return !bms_is_empty(bms_del_member(bms_copy(above), 0));
}

/*
 * The attribute numbers of the columns that a scan of a table must deliver, for its output and
 * for all clauses (expressions); palloc'd.  relid is the table's OID.
 */
List *
dnc_needed_attributes(PlannerInfo *root, RelOptInfo *rel, List *clauses, Oid relid,
					  const DncColumnMap *map)
{
	Bitmapset  *named = NULL;
	List	   *needed = NIL;
	bool		output_row;
	bool		whole_row;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &named);
	output_row = bms_is_member(MEMBER(0), named);
	named = bms_del_member(named, MEMBER(0));
	pull_varattnos((Node *) clauses, rel->relid, &named);
	whole_row = bms_is_member(MEMBER(0), named);
	for (AttrNumber attnum = 1; attnum <= map->natts; attnum++)
	{
		DncColumn	column = map->columns[attnum - 1];
		bool		in_row = whole_row || (output_row && (column != DNC_COL_MATCH_KEY ||
														  is_row_read(root, rel, attnum, relid)));

		if (column != DNC_COL_NONE && (in_row || bms_is_member(MEMBER(attnum), named)))
			needed = lappend_int(needed, attnum);
	}
	return needed;
}
