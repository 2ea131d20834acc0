/*-------------------------------------------------------------------------
 *
 * search_column.c
 *		The column search, which reads as what was searched for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"

#include "list/filter.h"
#include "plan/search_column.h"

/*
 * The relations that need an attribute; relid 0 stands for the output.  For a
 * partition, or a member of UNION ALL, only the parent knows.
 */
static Relids
needed_by(PlannerInfo *root, RelOptInfo *rel, AttrNumber attnum)
{
	Index		relid = rel->relid;

	while (root->append_rel_array && root->append_rel_array[relid])
	{
		AppendRelInfo *info = root->append_rel_array[relid];

		attnum = attnum <= info->num_child_cols ? info->parent_colnos[attnum - 1] : 0;
		if (attnum == 0)
			return NULL;
		relid = info->parent_relid;
	}
	rel = find_base_rel(root, relid);
	return rel->attr_needed[attnum - rel->min_attr];
}

/* Does any clause of the query look at the column search? */
bool
dnc_search_column_is_compared(PlannerInfo *root, RelOptInfo *rel, const DncColumnMap *map)
{
	for (int i = 0; i < map->natts; i++)
	{
		Bitmapset  *attrs = NULL;
		ListCell   *lc;

		if (map->columns[i] != DNC_COL_SEARCH)
			continue;
		foreach(lc, rel->baserestrictinfo)
			pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &attrs);
		if (bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, attrs))
			return true;
		/* Needed for anything but the output: a join clause. */
		if (!bms_is_empty(bms_del_member(bms_copy(needed_by(root, rel, i + 1)), 0)))
			return true;
	}
	return false;
}

/*
 * The column search reads as what was searched for.  A query that filters on
 * it in a way that no request carries would find nothing, and look as if the
 * list held nothing: refuse it.
 */
void
dnc_search_column_refuse(const DncOptions *options)
{
	if (!dnc_filter_has_column(options->provider, DNC_COL_SEARCH))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("server \"%s\" cannot search", options->server_name),
				 errdetail("The API of provider \"%s\" has no parameter for it.",
						   options->provider->name),
				 errhint("Filter on identifier instead of search.")));
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("column \"search\" of server \"%s\" can only be compared with = to a value",
					options->server_name),
			 errdetail("It stands for the search of the vendor's API, and reads as what was searched for."),
			 errhint("Write search = '...', or filter on identifier.")));
}
