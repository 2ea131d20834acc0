/*-------------------------------------------------------------------------
 *
 * search_column.c
 *		The column search, whose value is the search itself.
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
 * Does a query read the column search of a table: in its output, in a join or in a clause, at
 * this level or above?  Whole rows that the executor itself asks for, to lock or to delete
 * them, do not count.
 */
bool
dnc_search_column_is_read(PlannerInfo *root, RelOptInfo *rel, const DncColumnMap *map)
{
	bool		locks = root->rowMarks != NIL || root->parse->commandType != CMD_SELECT;
	Bitmapset  *attrs = NULL;
	ListCell   *lc;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &attrs);
	if (locks)
		attrs = bms_del_member(attrs, 0 - FirstLowInvalidHeapAttributeNumber);
	foreach(lc, rel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &attrs);
	for (int i = 0; i < map->natts; i++)
	{
		if (map->columns[i] == DNC_COL_SEARCH &&
			(bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, attrs) ||
			 bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, attrs)))
			return true;
	}
	return false;
}

/*
 * Refuse a query that reads the column search from a scan that searches for nothing (0A000).
 * The column's value is the search itself.  Such a query would find nothing, and look as if the
 * list were empty.
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
			 errmsg("cannot read column \"search\" of server \"%s\" without a search",
					options->server_name),
			 errdetail("It stands for the search of the vendor's API, and reads as what was searched for."),
			 errhint("Add the condition search = '...' to the scan of the table itself, or leave the column out.")));
}
