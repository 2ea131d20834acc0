/*-------------------------------------------------------------------------
 *
 * credential.c
 *		The token with which a role speaks to a server.
 *
 * As in postgres_fdw: a table is read and written with the mapping of the role
 * whose privileges count, a view's owner for instance, or with that for PUBLIC.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "config/account_pin.h"
#include "config/credential.h"

/*
 * A token either belongs to a workspace, or says with each request which one
 * is meant: refuse what would be refused, or worse, misunderstood.
 */
static void
check_workspace(const DncOptions *options)
{
	const char *prefix = options->provider->workspace_token;
	bool		needed;

	if (prefix == NULL)
		return;
	needed = strncmp(options->token, prefix, strlen(prefix)) == 0;
	if (needed && options->workspace_id == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("the user mapping for server \"%s\" needs the option \"workspace_id\"",
						options->server_name),
				 errdetail("Its token is a platform key (%s...), which is good for several workspaces.",
						   prefix),
				 errhint("ALTER USER MAPPING ... SERVER %s OPTIONS (ADD workspace_id '...');",
						 quote_identifier(options->server_name))));
	if (!needed && options->workspace_id)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("the user mapping for server \"%s\" must not have the option \"workspace_id\"",
						options->server_name),
				 errdetail("Its token is bound to one workspace: only platform keys (%s...) go with a workspace_id.",
						   prefix),
				 errhint("ALTER USER MAPPING ... SERVER %s OPTIONS (DROP workspace_id);",
						 quote_identifier(options->server_name))));
}

/*
 * The options of a server or table, and with them the token of a user's mapping, or of the
 * one for PUBLIC: a copy, palloc'd in the current context.  What it points to is in part
 * that of *given, which must outlive it.  Raises 28000 where there is no token, and 55000
 * where this transaction has used another account.
 */
const DncOptions *
dnc_credential_options(const DncOptions *given, Oid userid)
{
	DncOptions *options = palloc(sizeof(DncOptions));
	UserMapping *mapping;

	*options = *given;
	if (!SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(userid),
							   ObjectIdGetDatum(options->serverid)) &&
		!SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid),
							   ObjectIdGetDatum(options->serverid)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("no token for server \"%s\"", options->server_name),
				 errdetail("Role \"%s\" has no user mapping for this server.",
						   GetUserNameFromId(userid, false)),
				 errhint("CREATE USER MAPPING FOR %s SERVER %s OPTIONS (token '...');",
						 quote_identifier(GetUserNameFromId(userid, false)),
						 quote_identifier(options->server_name))));
	mapping = GetUserMapping(userid, options->serverid);
	dnc_options_apply_user(options, mapping->options);
	options->mapping = mapping->umid;
	if (options->token == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("no token for server \"%s\"", options->server_name),
				 errhint("ALTER USER MAPPING FOR %s SERVER %s OPTIONS (ADD token '...');",
						 OidIsValid(mapping->userid)
						 ? quote_identifier(GetUserNameFromId(mapping->userid, false)) : "PUBLIC",
						 quote_identifier(options->server_name))));
	check_workspace(options);
	dnc_account_pin(options, userid);
	return options;
}
