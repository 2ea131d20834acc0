/*-------------------------------------------------------------------------
 *
 * wrapper.c
 *		The foreign-data wrappers and tables that are ours.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "config/wrapper.h"

/*
 * Is this wrapper ours?  We go by its handler's name in our library.  Looking the handler up
 * would load the libraries of other wrappers, and raise an error if one is missing.
 */
bool
dnc_wrapper_is_ours(Oid fdwid)
{
	Oid			handler = GetForeignDataWrapper(fdwid)->fdwhandler;
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(handler));
	bool		ours = false;
	bool		is_null = true;
	Datum		source;

	if (!HeapTupleIsValid(tuple))
		return false;
	source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);
	if (!is_null)
		ours = strcmp(TextDatumGetCString(source), "dnc_fdw_handler") == 0;
	ReleaseSysCache(tuple);
	return ours;
}

/* Is a relation a foreign table of one of our servers? */
bool
dnc_wrapper_has_table(Oid relid)
{
	return get_rel_relkind(relid) == RELKIND_FOREIGN_TABLE &&
		dnc_wrapper_is_ours(GetForeignServer(GetForeignServerIdByRelId(relid))->fdwid);
}
