/*-------------------------------------------------------------------------
 *
 * functions.c
 *		Functions that users call from SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/execnodes.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "config/registry.h"
#include "match/version.h"
#include "wire/http.h"
#include "wire/json.h"
#include "write/settle.h"
#include "write/transaction.h"

#define PROVIDER_COLUMNS 10
#define PENDING_COLUMNS 5
#define VERSION_COLUMNS 3

PG_FUNCTION_INFO_V1(dnc_fdw_providers);
PG_FUNCTION_INFO_V1(dnc_fdw_pending);
PG_FUNCTION_INFO_V1(dnc_fdw_version);

/* An array of texts, from a list of char *. */
static Datum
text_array(List *list)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(list_length(list), 1));
	ListCell   *lc;
	int			count = 0;

	foreach(lc, list)
		elements[count++] = CStringGetTextDatum((char *) lfirst(lc));
	return PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* The columns for which a provider's entries have values. */
static Datum
provider_columns(const DncProvider *provider)
{
	List	   *list = NIL;

	for (int column = 0; column < DNC_NCOLUMNS; column++)
	{
		if (dnc_provider_field(provider, (DncColumn) column))
			list = lappend(list, unconstify(char *, dnc_column_name((DncColumn) column)));
	}
	return text_array(list);
}

/* The columns that a provider's API can filter on. */
static Datum
provider_filters(const DncProvider *provider)
{
	List	   *list = NIL;

	for (int i = 0; i < provider->nfilters; i++)
		list = lappend(list, unconstify(char *, dnc_column_name(provider->filters[i].column)));
	return text_array(list);
}

/* The identifier types of a provider. */
static Datum
provider_types(const DncProvider *provider)
{
	List	   *list = NIL;

	for (const char *const *type = provider->identifier_types; *type; type++)
		list = lappend(list, unconstify(char *, *type));
	return text_array(list);
}

/* dnc_fdw_providers(): the abilities of each provider, a row each. */
Datum
dnc_fdw_providers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const DncProvider *provider;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; (provider = dnc_registry_at(i)) != NULL; i++)
	{
		Datum		values[PROVIDER_COLUMNS] = {0};
		bool		nulls[PROVIDER_COLUMNS] = {0};

		values[0] = CStringGetTextDatum(provider->name);
		nulls[1] = provider->base_url == NULL;
		if (provider->base_url)
			values[1] = CStringGetTextDatum(provider->base_url);
		values[2] = provider_types(provider);
		values[3] = provider_columns(provider);
		values[4] = provider_filters(provider);
		values[5] = BoolGetDatum(dnc_provider_has_total(provider));
		values[6] = Int32GetDatum(provider->list.page_size_max);
		values[7] = Int32GetDatum(provider->add.batch);
		values[8] = Int32GetDatum(provider->remove.batch);
		nulls[9] = provider->requests_per_minute == 0;
		values[9] = Int32GetDatum(provider->requests_per_minute);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* May the caller see the writes to a table?  Nobody may for a dropped table. */
static bool
may_see(Oid relid)
{
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)) &&
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

/* The text for a column of a waiting write; false: the write does not say. */
static bool
pending_text(const DncWrite *write, DncColumn column, Datum *value)
{
	const DncField *field = dnc_provider_field(write->target->options->provider, column);
	const char *text = dnc_write_value(write, column);

	if (text == NULL && field && field->name == NULL)
		text = field->constant;
	if (text == NULL)
		return false;
	*value = CStringGetTextDatum(pg_any_to_server(text, strlen(text), PG_UTF8));
	return true;
}

/*
 * dnc_fdw_pending(): the writes that COMMIT will send, a row each, in the order of the
 * transaction.  Identifiers are NULL for tables that the caller may not read.
 */
Datum
dnc_fdw_pending(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (DncAccountWrites *account = dnc_transaction_accounts(); account; account = account->next)
	{
		DncPending *pending = account->pending;

		dnc_settle_mark_overtaken(pending);
		for (int i = 0; i < pending->count; i++)
		{
			const DncWrite *write = pending->writes[i];
			Datum		values[PENDING_COLUMNS] = {0};
			bool		nulls[PENDING_COLUMNS] = {0};
			bool		seen = may_see(write->target->relid);

			if (dnc_pending_at(pending, i)->overtaken)
				continue;
			values[0] = DirectFunctionCall1(namein,
											CStringGetDatum(write->target->options->server_name));
			values[1] = ObjectIdGetDatum(write->target->relid);
			values[2] = CStringGetTextDatum(write->action == DNC_ACTION_ADD ? "add" : "delete");
			nulls[3] = !seen || !pending_text(write, DNC_COL_IDENTIFIER, &values[3]);
			nulls[4] = !seen || !pending_text(write, DNC_COL_IDENTIFIER_TYPE, &values[4]);
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		}
	}
	return (Datum) 0;
}

/*
 * dnc_fdw_version(): the versions of this library, of libcurl with its parts, and of cJSON.
 * The libraries that keys depend on follow those of libcurl, since a function that was
 * released keeps its columns.
 */
Datum
dnc_fdw_version(PG_FUNCTION_ARGS)
{
	Datum		values[VERSION_COLUMNS];
	bool		nulls[VERSION_COLUMNS] = {0};
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "dnc_fdw_version() must return a row");
	values[0] = CStringGetTextDatum(DNC_VERSION);
	values[1] = CStringGetTextDatum(psprintf("%s %s", dnc_http_version(), dnc_match_libraries()));
	values[2] = CStringGetTextDatum(dnc_json_version());
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
