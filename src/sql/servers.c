/*-------------------------------------------------------------------------
 *
 * servers.c
 *		The servers that a caller may use, for functions that send requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_foreign_server.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/rel.h"

#include "compat.h"
#include "config/wrapper.h"
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
				 errmsg("server \"%s\" is not a server of dnc_fdw", name),
				 errdetail("Its foreign-data wrapper is \"%s\".", wrapper->fdwname),
				 errhint("Name a server of dnc_fdw. In psql, \\des shows which wrapper each server has.")));
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

		if (dnc_wrapper_is_ours(server->srvfdw) &&
			dnc_server_aclcheck(server->oid, GetUserId()) == ACLCHECK_OK)
			servers = lappend(servers, GetForeignServer(server->oid));
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(relation, AccessShareLock);
	return servers;
}
