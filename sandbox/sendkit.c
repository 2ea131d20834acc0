/*
 * sendkit.c
 *		SendKit's API: keys, the purpose of each request, and the vendor's struct.
 *
 * An account is a workspace.  Its key may be the workspace's own key, or that of a platform user,
 * who has to name the workspace.
 */
#include "sendkit.h"

#include <string.h>

#include "sendkit_entry.h"
#include "sendkit_list.h"
#include "sendkit_write.h"
#include "token.h"

#define RESOURCE "/v1/dnc"
#define IMPORT "/v1/dnc/import"
#define PLATFORM_KEY "sk_user_"
#define WORKSPACE_KEY "sk_"

/* Settings for features that the vendor's documents rule out or the vendor lacks. */
static const char *const no_settings[] = {"search", "search_case", "on_duplicate", "previous",
	"over_limit", NULL};

/* Checks the workspace that a platform key needs; 0, or the status of the refusal. */
static int
check_workspace(const char *workspace, const char *account, const char **message)
{
	if (workspace == NULL)
	{
		*message = "A platform API key needs the header X-Workspace-Id";
		return 400;
	}
	if (strncmp(workspace, SB_SENDKIT_WORKSPACE, strlen(SB_SENDKIT_WORKSPACE)) == 0 &&
		strcmp(workspace + strlen(SB_SENDKIT_WORKSPACE), account) == 0)
		return 0;
	*message = "This API key has no access to this workspace";
	return 403;
}

/* Finds the account of an API key: 0, or the status of the refusal. */
static int
identify(const SbRequest *req, char *account, const char **message)
{
	const char *key = sb_request_header(req, "X-Api-Key");
	const char *workspace = sb_request_header(req, "X-Workspace-Id");

	if (key != NULL && sb_request_header(req, "Authorization") != NULL)
	{
		*message = "Send either X-Api-Key or Authorization, not both";
		return 400;
	}
	if (key == NULL)
		key = sb_token_bearer(req);
	*message = "Invalid API key";
	if (key == NULL)
		return 401;
	if (strncmp(key, PLATFORM_KEY, strlen(PLATFORM_KEY)) == 0)
		return sb_token_account(key, PLATFORM_KEY, account) ?
			check_workspace(workspace, account, message) : 401;
	if (!sb_token_account(key, WORKSPACE_KEY, account))
		return 401;
	*message = "A workspace API key takes no header X-Workspace-Id";
	return workspace == NULL ? 0 : 400;
}

/* The purpose of a request. */
static SbAction
classify(const char *method, const char *path)
{
	if (strcmp(path, IMPORT) == 0 && strcmp(method, "POST") == 0)
		return SB_ACTION_ADD;
	if (strcmp(path, RESOURCE) != 0)
		return SB_ACTION_OTHER;
	if (strcmp(method, "GET") == 0)
		return SB_ACTION_LIST;
	if (strcmp(method, "POST") == 0)
		return SB_ACTION_ADD;
	if (strcmp(method, "DELETE") == 0)
		return SB_ACTION_DELETE;
	return SB_ACTION_OTHER;
}

/* Does the work of a request. */
static void
serve(SbCall *call)
{
	if (call->action == SB_ACTION_LIST)
		sb_sendkit_list(call);
	else if (call->action != SB_ACTION_OTHER)
		sb_sendkit_write(call);
	else if (strcmp(call->path, IMPORT) == 0)
		sb_api_no_resource(call, "POST");
	else
		sb_api_no_resource(call, strcmp(call->path, RESOURCE) == 0 ? "GET, POST, DELETE" : NULL);
}

const SbApi sb_sendkit = {
	.name = "sendkit",
	.base = "/sendkit",
	.types = sb_sendkit_types,
	.identify = identify,
	.classify = classify,
	.serve = serve,
	.error = sb_sendkit_error,
	.fill = sb_sendkit_fill,
	.drift = sb_sendkit_drift,
	.defaults = {.rate_window_ms = 60000,.cursors = SB_CURSORS_KEYSET,.max_limit = 100},
	.no_settings = no_settings,
	.id_member = "_id",
	.name_member = "email",
	.type_member = "entryType"
};
