/*
 * weya.c
 *		Weya's API: envelopes, entries, list, add and delete.
 *
 * An account is an organisation.  A number is the same with and without a leading +, and we
 * return it as it was sent.
 */
#include "weya.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "body.h"
#include "drift.h"
#include "encode.h"
#include "page.h"
#include "timer.h"
#include "token.h"

#define LIST "/api/dnc/list"
#define ADD "/api/dnc/add"
#define DELETE "/api/dnc/delete/"
#define DEFAULT_LIMIT 10
#define UNKNOWN_BATCH "unknown"

/* Filled entries come from batches of this many calls. */
#define FILL_BATCH 100

static const char *const types[] = {NULL};

static const char *const search_members[] = {"phoneNumber", "type", "requestUUID", NULL};

/* Settings for features that the vendor's documents rule out or the vendor lacks. */
static const char *const no_settings[] = {"search", "search_case", "cursors", "generation",
"on_duplicate", "cursor_use", "previous", "type_filter", NULL};

/* A new entry; type, recording and transcription may be NULL. */
typedef struct WeyaEntry
{
	const char *kind;			/* with number: the source of the id */
	uint64_t	number;
	const char *phone;
	const char *batch;
	const char *request_uuid;
	const char *type;
	const char *recording;
	const char *transcription;
	int64_t		created_ms;
} WeyaEntry;

/* The contents of a list request. */
typedef struct WeyaList
{
	SbFilter	filter;
	SbCursor	own;			/* cursor of the page to give */
} WeyaList;

/* Begins the answer, up to the place where the data may follow. */
static void
begin_envelope(SbAnswer *answer, int code, bool success, const char *message, const char *error)
{
	sb_answer_set(answer, code, "application/json");
	sb_text_str(&answer->body, "{\"message\":");
	sb_text_json(&answer->body, message, strlen(message));
	sb_text_printf(&answer->body, ",\"status\":%s,\"code\":%d", success ? "true" : "false", code);
	sb_text_member(&answer->body, "errorMessage", error);
}

/* Makes the answer an error in the vendor's form; NULL message: the status's usual message. */
static void
answer_error(SbAnswer *answer, int status, const char *message)
{
	const char *usual = sb_status_text(status);

	begin_envelope(answer, status, false, usual, message == NULL ? usual : message);
	sb_text_str(&answer->body, "}");
}

/* The purpose of a request. */
static SbAction
classify(const char *method, const char *path)
{
	if (strcmp(path, LIST) == 0 && strcmp(method, "GET") == 0)
		return SB_ACTION_LIST;
	if (strcmp(path, ADD) == 0 && strcmp(method, "POST") == 0)
		return SB_ACTION_ADD;
	if (strncmp(path, DELETE, strlen(DELETE)) == 0 && strcmp(method, "DELETE") == 0)
		return SB_ACTION_DELETE;
	return SB_ACTION_OTHER;
}

/* The number without a leading +. */
static const char *
bare_number(const char *phone)
{
	return phone + (phone[0] == sb_weya.name_sign);
}

/* The listed entry with a number; NULL if there is none. */
static SbEntry *
find_number(const SbAccount *account, const char *phone)
{
	phone = bare_number(phone);
	return sb_store_find_folded(&account->list, phone, strlen(phone));
}

/* Appends an entry's JSON. */
static void
write_entry(SbText *json, const SbAccount *account, const WeyaEntry *entry, const char *id)
{
	char		org[SB_OBJECT_ID_SIZE];
	SbText		time = {0};

	sb_object_id(org, account->name, "org", 0);
	sb_text_time(&time, entry->created_ms);
	sb_text_reserve(json, 450);
	sb_text_printf(json, "{\"_id\":\"%s\"", id);
	sb_text_member(json, "phoneNumber", entry->phone);
	sb_text_member(json, "type", entry->type);
	sb_text_member(json, "orgId", org);
	sb_text_member(json, "batchId", entry->batch);
	sb_text_member(json, "requestUUID", entry->request_uuid);
	sb_text_member(json, "callRecording", entry->recording);
	sb_text_member(json, "transcription", entry->transcription);
	sb_text_member(json, "createdAt", time.data);
	sb_text_str(json, "}");
	sb_text_free(&time);
}

/* Makes an entry and puts it into the account's list at an index. */
static SbEntry *
insert(SbAccount *account, size_t index, const WeyaEntry *entry)
{
	const char *number = bare_number(entry->phone);
	char		id[SB_OBJECT_ID_SIZE];
	SbText		json = {0};
	SbText		text = {0};
	SbTraits	traits = {.key = {number, id},.key_len = {strlen(number), SB_OBJECT_ID_SIZE - 1},
	.type = SB_NO_TYPE};
	SbEntry    *inserted;

	sb_object_id(id, account->name, entry->kind, entry->number);
	write_entry(&json, account, entry, id);
	sb_text_search(&text, entry->phone);
	sb_text_search(&text, entry->type == NULL ? "" : entry->type);
	sb_text_search(&text, entry->request_uuid);
	traits.text = text.data;
	traits.text_len = text.len;
	inserted = sb_store_insert(&account->list, index, json.data, json.len, &traits);
	sb_text_free(&json);
	sb_text_free(&text);
	return inserted;
}

/* Adds an entry like those of calls, numbered within its kind. */
static SbEntry *
insert_numbered(SbAccount *account, size_t index, const char *kind, uint64_t number,
				const char *phone, int64_t created_ms)
{
	char		batch[SB_OBJECT_ID_SIZE];
	char		call[SB_UUID_SIZE];
	char		recording[100];
	WeyaEntry	entry = {.kind = kind,.number = number,.phone = phone,.batch = batch,
	.request_uuid = call,.type = "customer_request",.created_ms = created_ms};

	sb_object_id(batch, account->name, "batch", (number - 1) / FILL_BATCH);
	sb_uuid(call, account->name, kind, number);
	snprintf(recording, sizeof(recording), "https://example.com/recordings/%s.mp3", call);
	if (number % 3 == 0)
		entry.recording = recording;
	if (number % 6 == 0)
		entry.transcription = "Customer requested to be removed from calling list";
	return insert(account, index, &entry);
}

/* Adds the entry for a number; false if its phone number is on the list already. */
static bool
fill(SbAccount *account, uint64_t number, int type)
{
	char		phone[40];

	(void) type;
	snprintf(phone, sizeof(phone), "1555%07" PRIu64, number);
	if (find_number(account, phone) != NULL)
		return false;
	insert_numbered(account, sb_account_new_index(account), "filled", number, phone,
					sb_api_fill_ms(number));
	return true;
}

/* Adds the next drift entry at an index. */
static SbEntry *
drift(SbAccount *account, size_t index)
{
	char		phone[40];

	snprintf(phone, sizeof(phone), "1559%07" PRIu64, ++account->drifted);
	return insert_numbered(account, index, "drift", account->drifted, phone, sb_epoch_ms());
}

/* Takes one parameter; false, with the problem, if it is invalid. */
static bool
take_param(WeyaList *list, const SbParam *param, SbText *problem)
{
	if (strcmp(param->name, "page") == 0)
	{
		if (sb_parse_integer(param->value, 1, INT64_MAX, &list->own.at))
			return true;
		sb_text_str(problem, "page must be an integer, 1 or more");
	}
	else if (strcmp(param->name, "limit") == 0)
	{
		if (sb_parse_integer(param->value, 1, INT32_MAX, &list->own.limit))
			return true;
		sb_text_str(problem, "limit must be an integer, 1 or more");
	}
	else if (strcmp(param->name, "search") == 0)
	{
		/* The text that we search is in lower case, too. */
		for (size_t i = 0; i < param->value_len; i++)
			param->value[i] = (char) sb_fold(param->value[i]);
		list->filter.search = param->value_len == 0 ? NULL : param->value;
		list->filter.search_len = param->value_len;
		return true;
	}
	else
		sb_text_printf(problem, "%.100s is not a known query parameter", param->name);
	return false;
}

/* Reads a list request's parameters; false, with the problem, if they are invalid. */
static bool
take_list(WeyaList *list, const SbConfig *config, const SbQuery *query, SbText *problem)
{
	list->filter.type = SB_ANY_TYPE;
	list->filter.match = SB_MATCH_SUBSTRING;
	list->own = sb_page_first(SB_CURSORS_PAGE, DEFAULT_LIMIT, 0);
	for (int i = 0; i < query->params; i++)
		if (!take_param(list, &query->param[i], problem))
			return false;
	if (list->own.limit > config->max_limit && config->over_limit != 0)
	{
		sb_text_printf(problem, "limit must be %ld at the most", config->max_limit);
		return false;
	}
	if (list->own.limit > config->max_limit)
		list->own.limit = config->max_limit;
	return true;
}

/* Answers with the page that a request asks for; returns whether there are more. */
static bool
answer_page(SbCall *call, const WeyaList *list)
{
	SbAccount  *account = call->account;
	SbText	   *body = &call->req->answer.body;
	SbView		view = sb_view_open(&account->views, &account->list, &list->filter);
	SbCursor	own = sb_page_repeated(list->own, call->fault);
	SbPage		page;
	bool		has_more;

	sb_page_find(&page, &view, &own);
	has_more = page.has_more;
	sb_page_spoil(&page, call->fault, &own);
	begin_envelope(&call->req->answer, 200, true, "DNC list fetched successfully", "");
	sb_text_str(body, ",\"data\":{\"dncList\":");
	sb_page_write_entries(body, &page);
	sb_text_str(body, ",\"pagination\":");
	sb_page_write_numbers(body, &page, &own, "totalPages", call->fault);
	sb_text_str(body, "}}");
	call->entries = (int64_t) page.entries;
	return has_more;
}

/* GET: answers with a page of the list; afterwards the list drifts if there are more. */
static void
serve_list(SbCall *call)
{
	WeyaList	list = {.filter = {.search = NULL}};
	SbText		problem = {0};
	SbQuery		query;

	if (sb_query_parse(&query, call->req->query, &problem) &&
		take_list(&list, &call->account->config, &query, &problem))
	{
		if (answer_page(call, &list))
			sb_drift(call->account);
	}
	else
		answer_error(&call->req->answer, 400, problem.data);
	sb_query_free(&query);
	sb_text_free(&problem);
}

/* Checks an add request's body and takes its entry; false with the problem. */
static bool
take_entry(const cJSON *root, WeyaEntry *entry, SbText *problem)
{
	SbMember	member[] = {{"phoneNumber", NULL}, {"batchId", NULL}, {"requestUUID", NULL},
	{"type", NULL}};

	if (!sb_body_pick(root, member, 4, "The request body", "", problem) ||
		!sb_body_string(&member[0], "", true, &entry->phone, problem) ||
		!sb_body_string(&member[1], "", true, &entry->batch, problem) ||
		!sb_body_string(&member[2], "", true, &entry->request_uuid, problem) ||
		!sb_body_string(&member[3], "", false, &entry->type, problem))
		return false;
	if (bare_number(entry->phone)[0] != '\0')
		return true;
	sb_text_str(problem, "phoneNumber must have digits");
	return false;
}

/* Adds a checked entry, and answers with it. */
static void
add_entry(SbCall *call, WeyaEntry *entry)
{
	SbAccount  *account = call->account;
	SbAnswer   *answer = &call->req->answer;
	SbEntry    *added;

	entry->kind = "added";
	entry->number = ++account->added;
	entry->created_ms = sb_epoch_ms();
	added = insert(account, sb_account_new_index(account), entry);
	account->stats.admin_mails++;
	call->entries = 1;
	begin_envelope(answer, 200, true, "Phone number added to DNC list successfully", "");
	sb_text_str(&answer->body, ",\"data\":");
	sb_text_add(&answer->body, sb_entry_json(added), added->json_len);
	sb_text_str(&answer->body, "}");
}

/* POST: adds one number, unless it is on the list already. */
static void
serve_add(SbCall *call)
{
	SbAnswer   *answer = &call->req->answer;
	WeyaEntry	entry = {.kind = NULL};
	SbText		problem = {0};
	cJSON	   *root = sb_body_parse(call->req, &problem);

	if (root == NULL || !take_entry(root, &entry, &problem))
		answer_error(answer, 400, problem.data);
	else if (find_number(call->account, entry.phone) != NULL)
		answer_error(answer, 400, "Phone number already exists in DNC list");
	else if (strncmp(entry.batch, UNKNOWN_BATCH, strlen(UNKNOWN_BATCH)) == 0)
		answer_error(answer, 404, "Batch not found");
	else
		add_entry(call, &entry);
	cJSON_Delete(root);
	sb_text_free(&problem);
}

/* Takes an id (SB_OBJECT_ID_SIZE bytes), in lower case, from the end of a path; false: none. */
static bool
take_id(const char *path, char *id)
{
	size_t		len = strlen(path);

	if (len != SB_OBJECT_ID_SIZE - 1 || strspn(path, "0123456789abcdefABCDEF") != len)
		return false;
	for (size_t i = 0; i <= len; i++)
		id[i] = (char) sb_fold(path[i]);
	return true;
}

/* DELETE: takes one entry off the list. */
static void
serve_delete(SbCall *call)
{
	SbAccount  *account = call->account;
	SbAnswer   *answer = &call->req->answer;
	char		id[SB_OBJECT_ID_SIZE] = "";
	SbEntry    *entry;

	if (call->req->body.len > 0)
		answer_error(answer, 400, "This request takes no body");
	else if (!take_id(call->path + strlen(DELETE), id))
		answer_error(answer, 400, "Invalid DNC entry ID");
	else if ((entry = sb_store_find_id(&account->list, id, strlen(id))) != NULL)
	{
		sb_store_remove(&account->list, entry);
		call->entries = 1;
		begin_envelope(answer, 200, true, "DNC entry deleted successfully", "");
		sb_text_str(&answer->body, "}");
	}
	else if (sb_account_others_have(account, id, strlen(id)))
		answer_error(answer, 403, "DNC entry belongs to another organization");
	else
		answer_error(answer, 404, "DNC entry not found");
}

/* The methods that a path takes; NULL if the API has no such path. */
static const char *
methods_of(const char *path)
{
	if (strcmp(path, LIST) == 0)
		return "GET";
	if (strcmp(path, ADD) == 0)
		return "POST";
	return strncmp(path, DELETE, strlen(DELETE)) == 0 ? "DELETE" : NULL;
}

/* Does the work of a request. */
static void
serve(SbCall *call)
{
	if (call->action == SB_ACTION_LIST)
		serve_list(call);
	else if (call->action == SB_ACTION_OTHER)
		sb_api_no_resource(call, methods_of(call->path));
	else if (call->req->query[0] != '\0')
		answer_error(&call->req->answer, 400, "This request takes no query parameters");
	else if (call->action == SB_ACTION_ADD)
		serve_add(call);
	else
		serve_delete(call);
}

/* Only an answer that counts the entries can say that it skipped some. */
static const SbFaultKind no_faults[] = {SB_FAULT_SKIP, SB_FAULT_NONE};

const SbApi sb_weya = {
	.name = "weya",
	.base = "/weya",
	.types = types,
	.identify = sb_token_identify,
	.classify = classify,
	.serve = serve,
	.error = answer_error,
	.fill = fill,
	.drift = drift,
	.defaults = {.rate_window_ms = 60000,.max_limit = SB_MAX_LIMIT},
	.no_settings = no_settings,
	.no_faults = no_faults,
	.id_member = "_id",
	.name_member = "phoneNumber",
	.search_members = search_members,
	.name_sign = '+'
};
