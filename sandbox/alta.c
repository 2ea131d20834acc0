/*
 * alta.c
 *		Alta's API: the purpose of each request, and the vendor's struct.
 *
 * We are strict: we refuse everything that the vendor's documents do not allow, so that a
 * client's mistakes show here and not at the vendor.  If the documents are silent, the account's
 * settings decide.
 */
#include "alta.h"

#include <string.h>

#include "alta_entry.h"
#include "alta_list.h"
#include "alta_write.h"
#include "token.h"

#define RESOURCE "/dnc/communication-opt-outs"

/* The purpose of a request. */
static SbAction
classify(const char *method, const char *path)
{
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
		sb_alta_list(call);
	else if (call->action != SB_ACTION_OTHER)
		sb_alta_write(call);
	else
		sb_api_no_resource(call, strcmp(call->path, RESOURCE) == 0 ? "GET, POST, DELETE" : NULL);
}

/* Settings for features that only other vendors have. */
static const char *const no_settings[] = {"generation", "max_limit", "over_limit", NULL};

/* Only an answer that counts the entries can say that it skipped some. */
static const SbFaultKind no_faults[] = {SB_FAULT_SKIP, SB_FAULT_NONE};

const SbApi sb_alta = {
	.name = "alta",
	.base = "/alta/v1",
	.types = sb_alta_types,
	.identify = sb_token_identify,
	.classify = classify,
	.serve = serve,
	.error = sb_alta_error,
	.fill = sb_alta_fill,
	.drift = sb_alta_drift,
	.defaults = {.rate_window_ms = 60000},
	.no_settings = no_settings,
	.no_faults = no_faults,
	.id_member = "id",
	.name_member = "identifier",
	.type_member = "identifierType"
};
