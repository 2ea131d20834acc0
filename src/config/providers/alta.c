/*-------------------------------------------------------------------------
 *
 * alta.c
 *		Alta's API: communication opt-outs.
 *
 * Source: the vendor's OpenAPI pages "List", "Add" and "Delete communication
 * opt-outs" (openapi 3.1.0, API version 1.0.0) and the pages on pagination,
 * errors and rate limiting.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "config/option.h"
#include "config/providers/providers.h"

/* Schema CommunicationOptOut with BaseEntity. */
static const DncField fields[] = {
	{.name = "id", .column = DNC_COL_ID, .required = true, .import_type = "uuid"},
	{.name = "objectType", .column = DNC_COL_NONE, .required = true},
	{.name = "identifier", .column = DNC_COL_IDENTIFIER, .required = true},
	{.name = "identifierType", .column = DNC_COL_IDENTIFIER_TYPE, .required = true},
	{.name = "label", .column = DNC_COL_LABEL},
	{.name = "isManuallyAdded", .column = DNC_COL_IS_MANUALLY_ADDED,
	.kind = DNC_FIELD_BOOLEAN, .required = true},
	{.name = "createdAt", .column = DNC_COL_CREATED_AT, .required = true},
	{.name = "updatedAt", .column = DNC_COL_UPDATED_AT, .required = true},
};

/* "search: Search by identifier value": the vendor does not document how it matches. */
static const DncFilter filters[] = {
	{.column = DNC_COL_IDENTIFIER_TYPE, .parameter = "identifierType"},
	{.column = DNC_COL_SEARCH, .parameter = "search"},
	{.column = DNC_COL_IDENTIFIER, .parameter = "search"},
};

static const char *const identifier_types[] = {
	"email", "linkedin", "phone", "sms", "whatsapp", "web_chat", NULL
};

static const char *const own_options[] = {"pause_active_prospects", "search_match", NULL};

/* Schema CommunicationOptOutListResponse: no total. */
static const DncPaging paging = {
	.style = DNC_PAGING_CURSOR,
	.marker = "hasMore",
	.parameter = "cursor",
	.more = "hasMore",
	.next = "next",
	.previous = "previous",
};

/* Schema AddCommunicationOptOutsRequest. */
static void
append_add_options(StringInfo body, const DncOptions *options)
{
	appendStringInfo(body, ",\"pauseActiveProspects\":%s",
					 options->pause_active_prospects ? "true" : "false");
}

const DncProvider dnc_provider_alta = {
	.name = "alta",
	.base_url = "https://api.altahq.com/v1",
	.token_header = "Authorization",
	.token_prefix = "Bearer ",
	.requests_per_minute = 100,
	.search_match = DNC_SEARCH_EXACT,
	.identifier_types = identifier_types,
	.own_options = own_options,
	.error_messages = {"message"},
	.error_marks = {"error", "message"},

	.list = {
		.path = "/dnc/communication-opt-outs",
		.limit_parameter = "limit",
		.page_size_max = 100,
		.entries = "data",
		.pagings = {&paging},
	},
	.fields = fields,
	.nfields = lengthof(fields),
	.filters = filters,
	.nfilters = lengthof(filters),
	.add = {
		.method = "POST",
		.path = "/dnc/communication-opt-outs",
		.batch = 500,
		.list = "identifiers",
		.repeatable = true,
		.members = {
			{"identifier", DNC_COL_IDENTIFIER, true},
			{"identifierType", DNC_COL_IDENTIFIER_TYPE, true},
			{"name", DNC_COL_LABEL, false},
		},
	},
	.remove = {
		.method = "DELETE",
		.path = "/dnc/communication-opt-outs",
		.batch = 1,
		.look_first = true,
		.unchanged_status = 404,
		.members = {
			{"identifier", DNC_COL_IDENTIFIER, true},
			{"identifierType", DNC_COL_IDENTIFIER_TYPE, true},
		},
	},
	.identity = {DNC_COL_IDENTIFIER, DNC_COL_IDENTIFIER_TYPE},
	.nidentity = 2,
	.append_add_options = append_add_options,
};
