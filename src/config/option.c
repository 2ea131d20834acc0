/*-------------------------------------------------------------------------
 *
 * option.c
 *		The table of options, with its validator and its reader.
 *
 * The row of an option below says everything about it: where users may set it, its kind,
 * range and default, whether it is a secret, and its place in DncOptions.  Validator,
 * reader, hints and the test of the documentation loop over the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "access/reloptions.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

#include "config/option.h"
#include "config/option_value.h"
#include "config/registry.h"

/* The places where users may set an option. */
#define ON_SERVER	(1 << 0)
#define ON_TABLE	(1 << 1)
#define ON_COLUMN	(1 << 2)
#define ON_USER		(1 << 3)

static const char *const write_mode_words[] = {"commit", "immediate", "queue", NULL};
static const char *const search_match_words[] = {"exact", "prefix", "substring", NULL};
static const char *const scan_check_words[] = {"total", "reread", NULL};

#define AT(member) offsetof(DncOptions, member)

static const DncOptionDef option_defs[] = {
	{.name = "provider", .catalogs = ON_SERVER, .kind = DNC_KIND_PROVIDER, .offset = AT(provider)},
	{.name = "base_url", .catalogs = ON_SERVER, .kind = DNC_KIND_BASE_URL, .offset = AT(base_url)},
	{.name = "account", .catalogs = ON_SERVER, .kind = DNC_KIND_NAME, .offset = AT(account)},
	{.name = "page_size", .catalogs = ON_SERVER | ON_TABLE, .kind = DNC_KIND_INTEGER,
	.min = 1, .max = 1000, .initial = "100", .offset = AT(page_size)},
	{.name = "batch_size", .catalogs = ON_SERVER | ON_TABLE, .kind = DNC_KIND_INTEGER,
	.min = 1, .max = 10000, .offset = AT(batch_size)},
	{.name = "max_concurrency", .catalogs = ON_SERVER, .kind = DNC_KIND_INTEGER,
	.min = 1, .max = 64, .initial = "4", .offset = AT(max_concurrency)},
	{.name = "requests_per_minute", .catalogs = ON_SERVER, .kind = DNC_KIND_INTEGER,
	.min = 0, .max = 1000000, .offset = AT(requests_per_minute)},
	{.name = "connect_timeout", .catalogs = ON_SERVER, .kind = DNC_KIND_MILLISECONDS,
	.min = 1, .max = 3600000, .initial = "10s", .offset = AT(connect_timeout)},
	{.name = "request_timeout", .catalogs = ON_SERVER, .kind = DNC_KIND_MILLISECONDS,
	.min = 1, .max = 86400000, .initial = "60s", .offset = AT(request_timeout)},
	{.name = "max_retries", .catalogs = ON_SERVER, .kind = DNC_KIND_INTEGER,
	.min = 0, .max = 100, .initial = "5", .offset = AT(max_retries)},
	{.name = "max_wait", .catalogs = ON_SERVER, .kind = DNC_KIND_MILLISECONDS,
	.min = 0, .max = 86400000, .initial = "2min", .offset = AT(max_wait)},
	{.name = "max_requests", .catalogs = ON_SERVER | ON_USER, .kind = DNC_KIND_INTEGER,
	.min = 0, .max = INT_MAX, .initial = "0", .offset = AT(max_requests)},
	{.name = "max_response_size", .catalogs = ON_SERVER, .kind = DNC_KIND_BYTES,
	.min = 1024, .max = 1073741823, .initial = "16MB", .offset = AT(max_response_size)},
	{.name = "ca_file", .catalogs = ON_SERVER, .kind = DNC_KIND_FILE, .offset = AT(ca_file)},
	{.name = "write_mode", .catalogs = ON_SERVER | ON_TABLE, .kind = DNC_KIND_WORD,
	.words = write_mode_words, .initial = "commit", .offset = AT(write_mode)},
	{.name = "max_deletes", .catalogs = ON_SERVER | ON_TABLE, .kind = DNC_KIND_INTEGER,
	.min = 0, .max = INT_MAX, .initial = "1000", .offset = AT(max_deletes)},
	{.name = "max_delete_age", .catalogs = ON_SERVER | ON_TABLE, .kind = DNC_KIND_MILLISECONDS,
	.min = 1000, .max = 2073600000, .initial = "1d", .offset = AT(max_delete_age)},
	{.name = "pause_active_prospects", .catalogs = ON_SERVER | ON_TABLE, .kind = DNC_KIND_BOOLEAN,
	.initial = "true", .offset = AT(pause_active_prospects)},
	{.name = "search_match", .catalogs = ON_SERVER | ON_TABLE, .kind = DNC_KIND_WORD,
	.words = search_match_words, .offset = AT(search_match)},
	{.name = "scan_check", .catalogs = ON_SERVER | ON_TABLE, .kind = DNC_KIND_WORD,
	.words = scan_check_words, .initial = "reread", .offset = AT(scan_check)},
	{.name = "estimated_rows", .catalogs = ON_SERVER | ON_TABLE, .kind = DNC_KIND_REAL,
	.min = 1, .max = 1e12, .initial = "10000", .offset = AT(estimated_rows)},
	{.name = "request_cost", .catalogs = ON_SERVER, .kind = DNC_KIND_REAL,
	.min = 0, .max = 1e9, .initial = "100", .offset = AT(request_cost)},
	{.name = "analyze", .catalogs = ON_SERVER | ON_TABLE, .kind = DNC_KIND_BOOLEAN,
	.initial = "true", .offset = AT(analyze)},
	{.name = "updatable", .catalogs = ON_SERVER | ON_TABLE, .kind = DNC_KIND_BOOLEAN,
	.initial = "true", .offset = AT(updatable)},
	{.name = "async_capable", .catalogs = ON_SERVER | ON_TABLE, .kind = DNC_KIND_BOOLEAN,
	.initial = "true", .offset = AT(async_capable)},
	{.name = "default_country", .catalogs = ON_SERVER | ON_TABLE, .kind = DNC_KIND_COUNTRY,
	.offset = AT(default_country)},
	{.name = "column_name", .catalogs = ON_COLUMN, .kind = DNC_KIND_COLUMN, .offset = DNC_NOWHERE},
	{.name = "token", .catalogs = ON_USER, .kind = DNC_KIND_SECRET, .offset = AT(token)},
	{.name = "token_file", .catalogs = ON_USER, .kind = DNC_KIND_SECRET_FILE,
	.offset = AT(token_file)},
	{.name = "workspace_id", .catalogs = ON_USER, .kind = DNC_KIND_SECRET,
	.offset = AT(workspace_id)},
};

/* Options that only some providers have (own_options). */
static const char *const not_for_all[] = {"pause_active_prospects", "search_match", "scan_check",
	"workspace_id"};

PG_FUNCTION_INFO_V1(dnc_fdw_validator);

/* The row of an option; NULL: there is none. */
static const DncOptionDef *
find_def(const char *name)
{
	for (size_t i = 0; i < lengthof(option_defs); i++)
	{
		if (strcmp(option_defs[i].name, name) == 0)
			return &option_defs[i];
	}
	return NULL;
}

/* The objects that may have an option, for messages. */
static const char *
catalogs_text(int catalogs)
{
	if (catalogs == (ON_SERVER | ON_TABLE))
		return "a server or a foreign table";
	if (catalogs == (ON_SERVER | ON_USER))
		return "a server or a user mapping";
	if (catalogs == ON_SERVER)
		return "a server";
	if (catalogs == ON_COLUMN)
		return "a column of a foreign table";
	Assert(catalogs == ON_USER);
	return "a user mapping";
}

/*
 * Refuse an option that cannot be set here.  For a misspelling, the error suggests the nearest
 * name; for an option that belongs elsewhere, it says where.
 */
static void
refuse_option(const char *name, int catalog)
{
	const DncOptionDef *other = find_def(name);
	const DncOptionDef *nearest = NULL;
	int			distance = Min((int) strlen(name) / 2, 4) + 1;
	StringInfoData valid;

	initStringInfo(&valid);
	for (size_t i = 0; i < lengthof(option_defs); i++)
	{
		const DncOptionDef *def = &option_defs[i];
		int			d;

		if (!(def->catalogs & catalog))
			continue;
		appendStringInfo(&valid, "%s%s", valid.len > 0 ? ", " : "", def->name);
		if (strlen(name) > 255)
			continue;			/* longer than the function below allows */
		d = varstr_levenshtein_less_equal(name, strlen(name), def->name, strlen(def->name),
										  1, 1, 1, distance, true);
		if (d < distance)
		{
			nearest = def;
			distance = d;
		}
	}

	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", name),
			 other ? errhint("Option \"%s\" belongs on %s.", name, catalogs_text(other->catalogs))
			 : nearest ? errhint("Perhaps you meant the option \"%s\".", nearest->name)
			 : valid.len > 0 ? errhint("The options here are: %s.", valid.data)
			 : errhint("There are no options here.")));
}

/* Check that all options of a list may be set in this catalog, and apply them. */
static void
apply_list(List *list, int catalog, DncOptions *options)
{
	ListCell   *lc;

	foreach(lc, list)
	{
		DefElem    *given = lfirst_node(DefElem, lc);
		const DncOptionDef *def = find_def(given->defname);

		if (def == NULL || !(def->catalogs & catalog))
			refuse_option(given->defname, catalog);
		dnc_option_value_apply(def, defGetString(given), options);
	}
}

/* Apply our defaults and those of the provider. */
static void
apply_defaults(DncOptions *options)
{
	const DncProvider *provider = options->provider;

	for (size_t i = 0; i < lengthof(option_defs); i++)
	{
		if (option_defs[i].initial)
			dnc_option_value_apply(&option_defs[i], option_defs[i].initial, options);
	}
	if (provider)
	{
		options->base_url = provider->base_url ? pstrdup(provider->base_url) : NULL;
		options->batch_size = provider->add.batch;
		options->requests_per_minute = provider->requests_per_minute;
		options->search_match = provider->search_match;
	}
}

/* The statement that drops an option of a table, or of a user mapping of a server; palloc'd. */
static const char *
statement_to_drop(const char *name, Oid relid, const char *mapped_server)
{
	if (OidIsValid(relid))
		return psprintf("ALTER FOREIGN TABLE %s OPTIONS (DROP %s);",
						quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid)), name);
	return psprintf("ALTER USER MAPPING ... SERVER %s OPTIONS (DROP %s);", quote_identifier(mapped_server), name);
}

/*
 * Refuse those options of a list that mean nothing to this provider.  PostgreSQL does not tell
 * the validator the server of a table or user mapping, so we check their options in use, and
 * name the table, or the server of the mapping.  A server's own options have neither.
 */
static void
check_own_options(List *list, const DncProvider *provider, Oid relid, const char *mapped_server)
{
	ListCell   *lc;

	foreach(lc, list)
	{
		const char *name = lfirst_node(DefElem, lc)->defname;
		bool		common = true;
		bool		own = false;

		for (size_t i = 0; i < lengthof(not_for_all); i++)
			common = common && strcmp(not_for_all[i], name) != 0;
		for (int i = 0; provider->own_options && provider->own_options[i]; i++)
			own = own || strcmp(provider->own_options[i], name) == 0;
		if (!common && !own)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("option \"%s\" means nothing to provider \"%s\"",
							name, provider->name),
					 OidIsValid(relid) || mapped_server
					 ? errhint("%s", statement_to_drop(name, relid, mapped_server))
					 : errhint("Leave the option out.")));
	}
}

/* Refuse sizes that the provider's API does not accept. */
static void
check_provider_ranges(const DncOptions *options)
{
	const DncProvider *provider = options->provider;
	const char *option = NULL;
	int			value = 0;
	int			max = 0;

	if (options->page_size > provider->list.page_size_max)
	{
		option = "page_size";
		value = options->page_size;
		max = provider->list.page_size_max;
	}
	else if (options->batch_size > provider->add.batch)
	{
		option = "batch_size";
		value = options->batch_size;
		max = provider->add.batch;
	}
	if (option)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("invalid value for option \"%s\": \"%d\"", option, value),
				 errdetail("For provider \"%s\" it takes a whole number from 1 to %d.",
						   provider->name, max)));
}

/* Check the options of a server together: all required ones must be there, and fit the provider. */
static void
check_server(List *list, const DncOptions *options)
{
	if (options->provider == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("a server needs the option \"provider\""),
				 errdetail("The providers are: %s.", dnc_registry_names()),
				 errhint("Add OPTIONS (provider '...').")));
	if (options->base_url == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("a server of provider \"%s\" needs the option \"base_url\"",
						options->provider->name),
				 errdetail("The vendor does not document the address of its API."),
				 errhint("Add OPTIONS (base_url 'https://...').")));
	check_own_options(list, options->provider, InvalidOid, NULL);
	check_provider_ranges(options);
}

/* The provider that a list of server options names; NULL: none. */
static const DncProvider *
provider_of(List *list)
{
	ListCell   *lc;

	foreach(lc, list)
	{
		DefElem    *def = lfirst_node(DefElem, lc);

		if (strcmp(def->defname, "provider") == 0)
			return dnc_registry_find(defGetString(def));
	}
	return NULL;
}

/*
 * Refuse file options from users who may not read files on the database server otherwise
 * (42501); file_fdw has the same rule.  Opening anything but a regular file could block
 * forever.
 */
static void
check_files(List *list)
{
	ListCell   *lc;

	foreach(lc, list)
	{
		DefElem    *given = lfirst_node(DefElem, lc);
		const DncOptionDef *def = find_def(given->defname);
		struct stat status;

		if (def->kind != DNC_KIND_FILE && def->kind != DNC_KIND_SECRET_FILE)
			continue;
		if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied to set the option \"%s\"", def->name),
					 errdetail("The database server reads the file that it names: only a superuser or a role with privileges of pg_read_server_files may set it, or alter a server or user mapping that has it.")));
		if (stat(defGetString(given), &status) == 0 && !S_ISREG(status.st_mode))
			dnc_option_value_refuse(def, defGetString(given), "It is not a regular file.");
	}
}

/* Check that a user mapping has a token, from exactly one place. */
static void
check_user(const DncOptions *options)
{
	if (options->token && options->token_file)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("a user mapping cannot have both options \"token\" and \"token_file\""),
				 errhint("Leave out one of them, or DROP it with ALTER USER MAPPING.")));
	if (options->token == NULL && options->token_file == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("a user mapping needs the option \"token\""),
				 errhint("Add OPTIONS (token '...') with the key that the vendor gave you, or OPTIONS (token_file '...') with the absolute path of a file that holds it.")));
}

/*
 * dnc_fdw_validator(options text[], catalog oid): refuse options that cannot be.  CREATE and
 * ALTER call this for every object that takes options.
 */
Datum
dnc_fdw_validator(PG_FUNCTION_ARGS)
{
	List	   *list = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalogid = PG_GETARG_OID(1);
	DncOptions	options = {0};
	int			catalog = 0;

	if (catalogid == ForeignServerRelationId)
		catalog = ON_SERVER;
	else if (catalogid == ForeignTableRelationId)
		catalog = ON_TABLE;
	else if (catalogid == AttributeRelationId)
		catalog = ON_COLUMN;
	else if (catalogid == UserMappingRelationId)
		catalog = ON_USER;

	if (catalog == ON_SERVER)
	{
		options.provider = provider_of(list);
		apply_defaults(&options);
	}
	apply_list(list, catalog, &options);
	check_files(list);
	if (catalog == ON_SERVER)
		check_server(list, &options);
	if (catalog == ON_USER)
		check_user(&options);
	PG_RETURN_VOID();
}

/*
 * The options in force for a server, or for one of its foreign tables if relid is valid;
 * without a token.  palloc'd in the current context.
 */
const DncOptions *
dnc_options_load(Oid serverid, Oid relid)
{
	ForeignServer *server = GetForeignServer(serverid);
	DncOptions *options = palloc0(sizeof(DncOptions));

	options->serverid = serverid;
	options->server_name = server->servername;
	options->provider = provider_of(server->options);
	apply_defaults(options);
	apply_list(server->options, ON_SERVER, options);
	if (options->account == NULL)
		options->account = server->servername;
	check_server(server->options, options);
	if (OidIsValid(relid))
	{
		ForeignTable *table = GetForeignTable(relid);

		apply_list(table->options, ON_TABLE, options);
		check_own_options(table->options, options->provider, relid, NULL);
		check_provider_ranges(options);
	}
	return options;
}

/*
 * Apply the options of a user mapping to *options; raises HV00D, HV024.  A mapping can only
 * lower max_requests, because a role with USAGE on the server can create its own mapping.
 */
void
dnc_options_apply_user(DncOptions *options, List *list)
{
	int			limit = options->max_requests;

	apply_list(list, ON_USER, options);
	check_own_options(list, options->provider, InvalidOid, options->server_name);
	if (limit > 0 && (options->max_requests == 0 || options->max_requests > limit))
		options->max_requests = limit;
}

/*
 * A copy of options that reads numbered pages with an overlap, regardless of scan_check.
 * concurrency is the number of concurrent requests; 0 leaves it unchanged.
 */
const DncOptions *
dnc_options_overlapping(const DncOptions *options, int concurrency)
{
	DncOptions *copy = palloc(sizeof(DncOptions));

	*copy = *options;
	copy->scan_check = DNC_SCAN_CHECK_REREAD;
	if (concurrency > 0)
		copy->max_concurrency = concurrency;
	return copy;
}

/* Are two sets of options the same, token included? */
bool
dnc_options_equal(const DncOptions *one, const DncOptions *other)
{
	if (one->serverid != other->serverid || one->mapping != other->mapping ||
		strcmp(one->server_name, other->server_name) != 0)
		return false;
	for (size_t i = 0; i < lengthof(option_defs); i++)
	{
		if (!dnc_option_value_equal(&option_defs[i], one, other))
			return false;
	}
	return true;
}
