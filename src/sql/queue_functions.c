/*-------------------------------------------------------------------------
 *
 * queue_functions.c
 *		Functions and the procedure of the queue, as users call them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "compat.h"
#include "queue/deliver.h"
#include "queue/manage.h"
#include "queue/table.h"

PG_FUNCTION_INFO_V1(dnc_fdw_cluster);
PG_FUNCTION_INFO_V1(dnc_fdw_deliver);
PG_FUNCTION_INFO_V1(dnc_fdw_queue_retry);
PG_FUNCTION_INFO_V1(dnc_fdw_queue_discard);
PG_FUNCTION_INFO_V1(dnc_fdw_queue_resume);
PG_FUNCTION_INFO_V1(dnc_fdw_queue_adopt);

/* The server with a name; the caller has to have USAGE on it (42704, 42501). */
static Oid
server_of_name(const char *name)
{
	Oid			serverid = GetForeignServerByName(name, false)->serverid;
	AclResult	allowed = dnc_server_aclcheck(serverid, GetUserId());

	if (allowed != ACLCHECK_OK)
		aclcheck_error(allowed, OBJECT_FOREIGN_SERVER, name);
	return serverid;
}

/* dnc_fdw_cluster(): identifier and timeline of this cluster. */
Datum
dnc_fdw_cluster(PG_FUNCTION_ARGS)
{
	Datum		values[2];
	bool		nulls[2] = {0};
	DncQueueOrigin origin;
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "dnc_fdw_cluster() must return a row");
	dnc_queue_cluster(&origin);
	values[0] = Int64GetDatum(origin.system);
	values[1] = Int32GetDatum(origin.timeline);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/*
 * dnc_fdw_deliver(server): send the writes that wait in the queue of a server.  The procedure
 * commits between its steps, so it has to be a statement of its own (25001).
 */
Datum
dnc_fdw_deliver(PG_FUNCTION_ARGS)
{
	Oid			serverid;

	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("CALL dnc_fdw_deliver() must be a statement of its own"),
				 errdetail("It commits between its steps, so it cannot run in a transaction block, in a function, or with other statements in one string."),
				 errhint("COMMIT first. With psql -c, give it a -c of its own.")));
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("server must not be NULL")));
	serverid = server_of_name(NameStr(*PG_GETARG_NAME(0)));
	dnc_queue_require();
	dnc_queue_deliver_by_call(serverid);
	PG_RETURN_VOID();
}

/* dnc_fdw_queue_retry(ids): see dnc_queue_retry(). */
Datum
dnc_fdw_queue_retry(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(dnc_queue_retry(PG_GETARG_DATUM(0)));
}

/*
 * dnc_fdw_queue_discard(ids, reason): see dnc_queue_discard().  ids are often the result of a
 * query, and NULL where the query finds none.
 */
Datum
dnc_fdw_queue_discard(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1) || VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(1)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a write of the queue is not discarded without a reason"),
				 errhint("The reason stays in dnc_fdw_queue, as the write's message.")));
	if (PG_ARGISNULL(0))
		PG_RETURN_INT64(0);
	PG_RETURN_INT64(dnc_queue_discard(PG_GETARG_DATUM(0), text_to_cstring(PG_GETARG_TEXT_PP(1))));
}

/* dnc_fdw_queue_resume(server): see dnc_queue_resume(). */
Datum
dnc_fdw_queue_resume(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(dnc_queue_resume(server_of_name(NameStr(*PG_GETARG_NAME(0)))));
}

/* dnc_fdw_queue_adopt(): see dnc_queue_adopt(). */
Datum
dnc_fdw_queue_adopt(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(dnc_queue_adopt());
}
