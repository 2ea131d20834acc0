/*
 * sendkit.c
 *		SendKit's API: keys, errors, entries.
 *
 * An account is a workspace; its key may be the workspace's own or that of a platform user, who
 * has to say which workspace is meant.
 */
#include "sendkit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "encode.h"
#include "timer.h"
#include "token.h"

#define RESOURCE "/v1/dnc"
#define IMPORT "/v1/dnc/import"
#define PLATFORM_KEY "sk_user_"
#define WORKSPACE_KEY "sk_"
#define WORKSPACE "ws_"

/* In the documented order; an entry's type is an index into this. */
static const char *const types[] = {"email", "domain", NULL};

static const char *const fill_forms[] = {
	"person%06" PRIu64 "@example.com",
	"domain%06" PRIu64 ".example"
};

/* Settings about what the vendor documents, or has not. */
static const char *const no_settings[] = {"search", "search_case", "on_duplicate", NULL};

/* Makes the answer an error in the vendor's form; NULL message: the usual one for the status. */
void
sb_sendkit_error(SbAnswer *answer, int status, const char *message)
{
	sb_answer_set(answer, status, "application/json");
	sb_text_str(&answer->body, "{\"success\":false");
	sb_text_member(&answer->body, "message", message == NULL ? sb_status_text(status) : message);
	sb_text_str(&answer->body, "}");
}

/* Checks the workspace that a platform key needs; 0, or the status of the refusal. */
static int
check_workspace(const char *workspace, const char *account, const char **message)
{
	if (workspace == NULL)
	{
		*message = "A platform API key needs the header X-Workspace-Id";
		return 400;
	}
	if (strncmp(workspace, WORKSPACE, strlen(WORKSPACE)) == 0 &&
		strcmp(workspace + strlen(WORKSPACE), account) == 0)
		return 0;
	*message = "This API key has no access to this workspace";
	return 403;
}

/* The account of an API key: 0, or the status of the refusal. */
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

/* What a request asks for. */
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

/* Makes an entry and puts it on the account's list at an index. */
SbEntry *
sb_sendkit_insert(SbAccount *account, size_t index, const SendkitEntry *entry)
{
	char		id[SB_OBJECT_ID_SIZE];
	SbTraits	traits = {.key = {entry->email, id},
	.key_len = {strlen(entry->email), SB_OBJECT_ID_SIZE - 1},.type = entry->type};
	SbText		time = {0};
	SbText		json = {0};
	SbEntry    *inserted;

	sb_object_id(id, account->name, entry->kind, entry->number);
	sb_text_time(&time, entry->created_ms);
	sb_text_reserve(&json, 350);
	sb_text_printf(&json, "{\"_id\":\"%s\"", id);
	sb_text_member(&json, "email", entry->email);
	sb_text_member(&json, "entryType", types[entry->type]);
	sb_text_printf(&json, ",\"workspaceId\":\"" WORKSPACE "%s\"", account->name);
	sb_text_member(&json, "reason", entry->reason);
	sb_text_member(&json, "unsubscribedAt", time.data);
	sb_text_member(&json, "createdAt", time.data);
	sb_text_member(&json, "updatedAt", time.data);
	sb_text_str(&json, "}");
	inserted = sb_store_insert(&account->list, index, json.data, json.len, &traits);
	sb_text_free(&json);
	sb_text_free(&time);
	return inserted;
}

/* The type of what is added without one: an email has an @, anything else is a domain. */
int
sb_sendkit_type(const char *email)
{
	return strchr(email, '@') != NULL ? 0 : 1;
}

/* Adds the entry that belongs to a number; false if its email is listed already. */
static bool
fill(SbAccount *account, uint64_t number, int type)
{
	char		email[80];
	SendkitEntry entry = {.kind = types[type],.number = number,.email = email,.type = type,
	.reason = "manual",.created_ms = sb_fill_ms(number)};

	snprintf(email, sizeof(email), fill_forms[type], number);
	if (sb_store_find_folded(&account->list, email, strlen(email)) != NULL)
		return false;
	sb_sendkit_insert(account, sb_account_new_index(account), &entry);
	return true;
}

/* Adds the next drift entry at an index. */
static SbEntry *
drift(SbAccount *account, size_t index)
{
	char		email[80];
	SendkitEntry entry = {.kind = "drift",.number = ++account->drifted,.email = email,.type = 0,
	.reason = "manual",.created_ms = sb_epoch_ms()};

	snprintf(email, sizeof(email), "drift-%06" PRIu64 "@example.com", account->drifted);
	return sb_sendkit_insert(account, index, &entry);
}

/* Does what a request asks for. */
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
	.types = types,
	.identify = identify,
	.classify = classify,
	.serve = serve,
	.error = sb_sendkit_error,
	.fill = fill,
	.drift = drift,
	.defaults = {.rate_window_ms = 60000,.cursors = SB_CURSORS_KEYSET,.max_limit = 100},
	.no_settings = no_settings,
	.id_member = "_id",
	.name_member = "email",
	.type_member = "entryType"
};
