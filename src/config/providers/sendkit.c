/*-------------------------------------------------------------------------
 *
 * sendkit.c
 *		SendKit's API: the Do-Not-Contact list of a workspace.
 *
 * Source: the vendor's page "List DNC entries" in both its generations, and its pages on
 * adding, removing and authentication.  The API stores all emails in lower case.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "config/providers/providers.h"

/* "email" holds the domain of a domain entry, too. */
static const DncField fields[] = {
	{.name = "_id", .column = DNC_COL_ID, .required = true},
	{.name = "email", .column = DNC_COL_IDENTIFIER, .required = true},
	{.name = "entryType", .column = DNC_COL_IDENTIFIER_TYPE, .required = true},
	{.name = "workspaceId", .column = DNC_COL_WORKSPACE_ID},
	{.name = "reason", .column = DNC_COL_REASON},
	{.name = "unsubscribedAt", .column = DNC_COL_UNSUBSCRIBED_AT},
	{.name = "createdAt", .column = DNC_COL_CREATED_AT},
	{.name = "updatedAt", .column = DNC_COL_UPDATED_AT},
};

static const DncFilter filters[] = {
	{.column = DNC_COL_IDENTIFIER_TYPE, .parameter = "type"},
};

static const char *const identifier_types[] = {"email", "domain", NULL};

static const char *const own_options[] = {"scan_check", "workspace_id", NULL};

/* The newer generation of the API. */
static const DncPaging cursors = {
	.style = DNC_PAGING_CURSOR,
	.marker = "pagination.hasMore",
	.parameter = "cursor",
	.more = "pagination.hasMore",
	.next = "pagination.nextCursor",
	.total = "pagination.total",
};

/* The older generation of the API. */
static const DncPaging numbers = {
	.style = DNC_PAGING_NUMBER,
	.marker = "pagination.pages",
	.parameter = "page",
	.total = "pagination.total",
	.page = "pagination.page",
	.pages = "pagination.pages",
	.limit = "pagination.limit",
};

const DncProvider dnc_provider_sendkit = {
	.name = "sendkit",
	.base_url = "https://api.sendkit.ai",
	.token_header = "X-Api-Key",
	.token_prefix = "",
	.workspace_header = "X-Workspace-Id",
	.workspace_token = "sk_user_",
	.identifier_types = identifier_types,
	.own_options = own_options,
	.success = "success",
	.error_messages = {"message", "error"},

	.list = {
		.path = "/v1/dnc",
		.limit_parameter = "limit",
		.page_size_max = 100,
		.entries = "data",
		.pagings = {&cursors, &numbers},
	},
	.fields = fields,
	.nfields = lengthof(fields),
	.filters = filters,
	.nfilters = lengthof(filters),
	.add = {
		.method = "POST",
		.path = "/v1/dnc/import",
		.batch = 10000,
		.list = "entries",
		.repeatable = true,
		.counts = {"data.imported", "data.skipped"},
		.members = {
			{"email", DNC_COL_IDENTIFIER, true},
			{"type", DNC_COL_IDENTIFIER_TYPE, true},
			{"reason", DNC_COL_REASON, false},
		},
	},
	/*
	 * The vendor does not document how many emails one removal takes.  A removal that we send again
	 * could take an email that was added since, and no request can look up an email.
	 */
	.remove = {
		.method = "DELETE",
		.path = "/v1/dnc",
		.batch = 500,
		.list = "emails",
		.bare = true,
		.counts = {"data.deleted"},
		.members = {
			{"email", DNC_COL_IDENTIFIER, true},
			{"type", DNC_COL_IDENTIFIER_TYPE, false},
		},
	},
	.identity = {DNC_COL_IDENTIFIER},
	.nidentity = 1,
	.folds_case = true,
};
