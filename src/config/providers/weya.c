/*-------------------------------------------------------------------------
 *
 * weya.c
 *		Weya's API: the Do-Not-Call list of an organisation.
 *
 * Source: the vendor's page on listing DNC entries, and its pages on adding and
 * removing.  The vendor does not document the API's address, so the user gives it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "config/providers/providers.h"

static const DncField fields[] = {
	{.name = "_id", .column = DNC_COL_ID, .required = true},
	{.name = "phoneNumber", .column = DNC_COL_IDENTIFIER, .required = true},
	{.column = DNC_COL_IDENTIFIER_TYPE, .constant = "phone"},
	{.name = "type", .column = DNC_COL_REASON},
	{.name = "orgId", .column = DNC_COL_ORG_ID},
	{.name = "batchId", .column = DNC_COL_BATCH_ID},
	{.name = "requestUUID", .column = DNC_COL_REQUEST_UUID},
	{.name = "callRecording", .column = DNC_COL_CALL_RECORDING},
	{.name = "transcription", .column = DNC_COL_TRANSCRIPTION},
	{.name = "createdAt", .column = DNC_COL_CREATED_AT},
};

/* "Searches across phone number, type, and requestUUID fields (case-insensitive)." */
static const DncFilter filters[] = {
	{.column = DNC_COL_SEARCH, .parameter = "search"},
	{.column = DNC_COL_IDENTIFIER, .parameter = "search"},
	{.column = DNC_COL_REQUEST_UUID, .parameter = "search"},
	{.column = DNC_COL_REASON, .parameter = "search"},
};

static const char *const identifier_types[] = {"phone", NULL};

static const char *const own_options[] = {"scan_check", "search_match", NULL};

static const DncPaging paging = {
	.style = DNC_PAGING_NUMBER,
	.marker = "data.pagination.totalPages",
	.parameter = "page",
	.total = "data.pagination.total",
	.page = "data.pagination.page",
	.pages = "data.pagination.totalPages",
	.limit = "data.pagination.limit",
};

const DncProvider dnc_provider_weya = {
	.name = "weya",
	.token_header = "Authorization",
	.token_prefix = "Bearer ",
	.search_match = DNC_SEARCH_SUBSTRING,
	.identifier_types = identifier_types,
	.own_options = own_options,
	.success = "status",
	.error_messages = {"errorMessage", "message"},

	.list = {
		.path = "/api/dnc/list",
		.limit_parameter = "limit",
		.page_size_max = 1000,
		.numbers_first = true,
		.entries = "data.dncList",
		.pagings = {&paging},
	},
	.fields = fields,
	.nfields = lengthof(fields),
	.filters = filters,
	.nfilters = lengthof(filters),
	/* 400 means that a field is missing or the number is listed.  Each add mails an admin. */
	.add = {
		.method = "POST",
		.path = "/api/dnc/add",
		.batch = 1,
		.unchanged_status = 400,
		.members = {
			{"phoneNumber", DNC_COL_IDENTIFIER, true},
			{"batchId", DNC_COL_BATCH_ID, true},
			{"requestUUID", DNC_COL_REQUEST_UUID, true},
			{"type", DNC_COL_REASON, false},
		},
	},
	/* A removal names the id, so if we send it again, it cannot take a number added since. */
	.remove = {
		.method = "DELETE",
		.path = "/api/dnc/delete/{}",
		.batch = 1,
		.repeatable = true,
		.unchanged_status = 404,
		.members = {
			{"id", DNC_COL_ID, true},
			{"phoneNumber", DNC_COL_IDENTIFIER, true},
		},
	},
	.identity = {DNC_COL_IDENTIFIER},
	.nidentity = 1,
	.ignores_plus = true,
};
