/*-------------------------------------------------------------------------
 *
 * credential.c
 *		The token that a role uses with a server.
 *
 * As in postgres_fdw, the role whose privileges count (a view's owner, for instance)
 * decides about the user mapping: its own, or the one for PUBLIC.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "foreign/foreign.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "compat.h"
#include "config/account_pin.h"
#include "config/credential.h"
#include "config/option_value.h"

/* The largest token file that we read, in bytes. */
#define MAX_TOKEN_FILE 8192

/* Does a role have a user mapping for a server, its own or that of PUBLIC? */
static bool
has_mapping(Oid serverid, Oid userid)
{
	return SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(userid),
								 ObjectIdGetDatum(serverid)) ||
		SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid),
							  ObjectIdGetDatum(serverid));
}

/*
 * A token either belongs to one workspace, or each request has to name the workspace.  We
 * refuse combinations that the API would refuse or, worse, misunderstand.
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

/* Remove the last line break of a text with this length; returns the new length. */
static size_t
without_line_break(char *text, size_t length)
{
	if (length > 0 && text[length - 1] == '\n')
		length--;
	if (length > 0 && text[length - 1] == '\r')
		length--;
	text[length] = '\0';
	return length;
}

/*
 * Read a token file into content[MAX_TOKEN_FILE + 2].  Returns the problem with the file, as
 * the end of a sentence; NULL: none.  We open the file without blocking, because somebody may
 * have put a FIFO in its place.
 */
static const char *
read_token_file(const char *path, char *content)
{
	int			file = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | PG_BINARY);
	const char *problem = NULL;
	struct stat status;
	size_t		length = 0;
	ssize_t		got = 0;

	if (file < 0)
		return psprintf("cannot be opened: %s", strerror(errno));
	if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode))
		problem = "is not a regular file";
	while (problem == NULL && length <= MAX_TOKEN_FILE &&
		   (got = read(file, content + length, MAX_TOKEN_FILE + 1 - length)) > 0)
		length += got;
	if (got < 0)
		problem = psprintf("cannot be read: %s", strerror(errno));
	CloseTransientFile(file);
	if (problem)
		return problem;
	if (length > MAX_TOKEN_FILE)
		return psprintf("is larger than %d bytes", MAX_TOKEN_FILE);
	length = without_line_break(content, length);
	if (strlen(content) != length || !dnc_option_value_is_header_text(content))
		return "does not hold a token: one line of printable ASCII characters without blanks";
	return NULL;
}

/*
 * The token in the file that a user mapping names, palloc'd.  Raises 28000 if there is none.
 * The error shows neither the file's name nor any of its contents.
 */
static char *
token_of_file(const DncOptions *options)
{
	char		content[MAX_TOKEN_FILE + 2];
	const char *problem = read_token_file(options->token_file, content);

	if (problem)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("no token for server \"%s\"", options->server_name),
				 errdetail("The file that token_file of the user mapping names %s.", problem),
				 errhint("Put the vendor's key into that file, on the database server, so that PostgreSQL's operating system user can read it.")));
	return pstrdup(content);
}

/*
 * Says who must create a missing mapping, as a sentence with a blank in front; empty if the
 * current user can.  PostgreSQL lets the server's owner do so, and lets a role with USAGE on
 * the server do so for itself.
 */
static const char *
who_makes_mapping(const DncOptions *options, Oid userid)
{
	Oid			owner = GetForeignServer(options->serverid)->owner;

	if (has_privs_of_role(GetUserId(), owner) ||
		(userid == GetUserId() &&
		 dnc_server_aclcheck(options->serverid, userid) == ACLCHECK_OK))
		return "";
	return psprintf(" Only role \"%s\", which owns the server, or a superuser can do that.",
					GetUserNameFromId(owner, false));
}

/*
 * Add the token of a user's mapping, or of the one for PUBLIC, to the options of a server or
 * table.  Returns a copy, palloc'd in the current context; some of its strings belong to
 * *given, which must outlive it.  Raises 28000 if there is no token, and 55000 if this
 * transaction has used another account.
 */
const DncOptions *
dnc_credential_options(const DncOptions *given, Oid userid)
{
	DncOptions *options = palloc(sizeof(DncOptions));
	UserMapping *mapping;

	*options = *given;
	if (!has_mapping(options->serverid, userid))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("no token for server \"%s\"", options->server_name),
				 errdetail("Role \"%s\" has no user mapping for this server.",
						   GetUserNameFromId(userid, false)),
				 errhint("CREATE USER MAPPING FOR %s SERVER %s OPTIONS (token '...');%s",
						 quote_identifier(GetUserNameFromId(userid, false)),
						 quote_identifier(options->server_name),
						 who_makes_mapping(options, userid))));
	mapping = GetUserMapping(userid, options->serverid);
	dnc_options_apply_user(options, mapping->options);
	options->mapping = mapping->umid;
	if (options->token_file)
		options->token = token_of_file(options);
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

/* Are two texts equal, or both NULL? */
static bool
is_equal(const char *one, const char *other)
{
	return one && other ? strcmp(one, other) == 0 : one == other;
}

/*
 * Do two roles surely use the same address with the same token?  We only compare the options of
 * their servers and user mappings: we read no token file, and a missing mapping raises no
 * error.  A role that was dropped has no mapping.
 */
bool
dnc_credential_is_same(Oid serverid, Oid userid, Oid other_server, Oid other_user)
{
	DncOptions	one = *dnc_options_load(serverid, InvalidOid);
	DncOptions	other = *dnc_options_load(other_server, InvalidOid);

	if (!has_mapping(serverid, userid) || !has_mapping(other_server, other_user))
		return false;
	dnc_options_apply_user(&one, GetUserMapping(userid, serverid)->options);
	dnc_options_apply_user(&other, GetUserMapping(other_user, other_server)->options);
	return is_equal(one.base_url, other.base_url) && is_equal(one.token, other.token) &&
		is_equal(one.token_file, other.token_file) && is_equal(one.workspace_id, other.workspace_id);
}
