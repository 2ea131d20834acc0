/*-------------------------------------------------------------------------
 *
 * servers.c
 *		The servers that a caller may use, for the functions that ask one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_proc.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"
#include "sql/servers.h"

extern Datum dnc_fdw_handler(PG_FUNCTION_ARGS);

/*
 * Raise 42501 for a server that the caller may not use, since its answers to somebody
 * else's token are not for all, and 42809 for a server of another wrapper.
 */
void
dnc_server_require(Oid serverid, const char *name)
{
	ForeignDataWrapper *wrapper = GetForeignDataWrapper(GetForeignServer(serverid)->fdwid);
	AclResult	access = dnc_server_aclcheck(serverid, GetUserId());
	FmgrInfo	handler = {0};

	if (access != ACLCHECK_OK)
		aclcheck_error(access, OBJECT_FOREIGN_SERVER, name);
	if (OidIsValid(wrapper->fdwhandler))
		fmgr_info(wrapper->fdwhandler, &handler);
	if (handler.fn_addr != dnc_fdw_handler)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not one of dnc_fdw", name),
				 errdetail("Its foreign-data wrapper is \"%s\".", wrapper->fdwname)));
}

/*
 * Is this wrapper ours?  We go by its handler's name in our library: looking the handler up
 * would load the libraries of other wrappers, and raise an error if one is missing.
 */
static bool
is_ours(Oid fdwid)
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

/*
 * The servers of dnc_fdw on which the caller has USAGE, by name: a list of ForeignServer *,
 * palloc'd.
 */
List *
dnc_servers_of_user(void)
{
	Relation	relation = table_open(ForeignServerRelationId, AccessShareLock);
	Relation	index = index_open(ForeignServerNameIndexId, AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(relation, index, NULL, 0, NULL);
	List	   *servers = NIL;
	HeapTuple	tuple;

	while ((tuple = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_foreign_server server = (Form_pg_foreign_server) GETSTRUCT(tuple);

		if (is_ours(server->srvfdw) &&
			dnc_server_aclcheck(server->oid, GetUserId()) == ACLCHECK_OK)
			servers = lappend(servers, GetForeignServer(server->oid));
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(relation, AccessShareLock);
	return servers;
}
