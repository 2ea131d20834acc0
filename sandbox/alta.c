/*
 * alta.c
 *		Alta's API: tokens, errors, entries, add and delete.
 *
 * Strict: what the vendor's documents do not allow is refused, so that a client's mistakes show
 * here and not at the vendor.  Where they are silent, the account's settings decide.
 */
#include "alta.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "encode.h"
#include "timer.h"
#include "token.h"

#define RESOURCE "/dnc/communication-opt-outs"
#define MAX_IDENTIFIERS 500

/* In the documented order; an entry's type is an index into this. */
static const char *const types[] = {"email", "linkedin", "phone", "sms", "whatsapp", "web_chat",
NULL};

static const char *const fill_forms[] = {
	"person%06" PRIu64 "@example.com",
	"https://www.linkedin.com/in/person-%06" PRIu64,
	"+1555%07" PRIu64,
	"+1556%07" PRIu64,
	"+1557%07" PRIu64,
	"visitor-%06" PRIu64
};

/* The vendor's names for statuses, and the messages where there is nothing better to say. */
static const struct
{
	int			status;
	const char *error;
	const char *message;
}			errors[] = {
	{400, "ValidationError", "Invalid request body"},
	{401, "Unauthorized", "Invalid API token"},
	{403, "Forbidden", "Access denied"},
	{404, "NotFound", "Resource not found"},
	{405, "MethodNotAllowed", "Method not allowed"},
	{408, "RequestTimeout", "Request timeout"},
	{409, "Conflict", "Conflict"},
	{413, "PayloadTooLarge", "Payload too large"},
	{429, "TooManyRequests", "Rate limit exceeded. Please retry after 60 seconds."},
	{500, "InternalServerError", "Internal server error"},
	{502, "BadGateway", "Bad gateway"},
	{503, "ServiceUnavailable", "Service unavailable"},
	{504, "GatewayTimeout", "Gateway timeout"}
};

#define ERRORS (sizeof(errors) / sizeof(errors[0]))

/* An entry to be made. */
typedef struct AltaEntry
{
	const char *kind;			/* with number: what the uuid is made from */
	uint64_t	number;
	const char *identifier;
	int			type;
	const char *label;			/* NULL: none */
	bool		manual;
	int64_t		created_ms;
} AltaEntry;

/* One of the identifiers of a body; the strings belong to the parsed body. */
typedef struct AltaItem
{
	const char *identifier;
	int			type;
	const char *name;			/* NULL: not given */
} AltaItem;

/* Makes the answer an error in the vendor's form; NULL message: the usual one for the status. */
void
sb_alta_error(SbAnswer *answer, int status, const char *message)
{
	const char *error = "Error";
	const char *usual = "The request failed";

	for (size_t i = 0; i < ERRORS; i++)
	{
		if (errors[i].status != status)
			continue;
		error = errors[i].error;
		usual = errors[i].message;
	}
	if (message == NULL)
		message = usual;
	sb_answer_set(answer, status, "application/json");
	sb_text_printf(&answer->body, "{\"error\":\"%s\",\"message\":", error);
	sb_text_json(&answer->body, message, strlen(message));
	sb_text_str(&answer->body, "}");
}

/* What a request asks for. */
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

/* Makes an entry and puts it on the account's list at an index. */
static SbEntry *
insert(SbAccount *account, size_t index, const AltaEntry *entry)
{
	char		id[SB_UUID_SIZE];
	SbTraits	traits = {.key = {entry->identifier, id},
	.key_len = {strlen(entry->identifier), SB_UUID_SIZE - 1},.type = entry->type};
	SbText		time = {0};
	SbText		json = {0};
	SbEntry    *inserted;

	sb_uuid(id, account->name, entry->kind, entry->number);
	sb_text_time(&time, entry->created_ms);
	sb_text_reserve(&json, 350);
	sb_text_printf(&json, "{\"id\":\"%s\",\"objectType\":\"communication-opt-out\"", id);
	sb_text_member(&json, "identifier", entry->identifier);
	sb_text_member(&json, "identifierType", types[entry->type]);
	sb_text_member(&json, "label", entry->label);
	sb_text_printf(&json, ",\"isManuallyAdded\":%s", entry->manual ? "true" : "false");
	sb_text_member(&json, "createdAt", time.data);
	sb_text_member(&json, "updatedAt", time.data);
	sb_text_str(&json, "}");
	inserted = sb_store_insert(&account->list, index, json.data, json.len, &traits);
	sb_text_free(&json);
	sb_text_free(&time);
	return inserted;
}

/* Adds the entry that belongs to a number; false if its identifier is listed already. */
static bool
fill(SbAccount *account, uint64_t number, int type)
{
	char		identifier[80];
	char		label[40];
	AltaEntry	entry = {.kind = types[type],.number = number,.identifier = identifier,
		.type = type,.manual = number % 2 == 1,
	.created_ms = sb_fill_ms(number)};

	snprintf(identifier, sizeof(identifier), fill_forms[type], number);
	snprintf(label, sizeof(label), "Person %" PRIu64, number);
	if (number % 3 == 0)
		entry.label = label;
	if (sb_store_find(&account->list, identifier, strlen(identifier), type) != NULL)
		return false;
	insert(account, sb_account_new_index(account), &entry);
	return true;
}

/* Adds the next drift entry at an index. */
static SbEntry *
drift(SbAccount *account, size_t index)
{
	char		identifier[80];
	AltaEntry	entry = {.kind = "drift",.number = ++account->drifted,
		.identifier = identifier,.type = 0,.manual = false,.created_ms = sb_epoch_ms()};

	snprintf(identifier, sizeof(identifier), "drift-%06" PRIu64 "@example.com",
			 account->drifted);
	return insert(account, index, &entry);
}

/* Checks and takes an identifier and its type; false with the problem. */
static bool
take_identifier(const cJSON *identifier, const cJSON *type, const char *prefix, AltaItem *item,
				SbText *problem)
{
	item->type = cJSON_IsString(type) ? sb_api_type(&sb_alta, type->valuestring) : -1;
	if (!cJSON_IsString(identifier) || identifier->valuestring[0] == '\0')
		sb_text_printf(problem, "%sidentifier must be a non-empty string", prefix);
	else if (item->type < 0)
	{
		sb_text_printf(problem, "%sidentifierType must be one of ", prefix);
		sb_api_type_list(&sb_alta, problem);
	}
	else
	{
		item->identifier = identifier->valuestring;
		return true;
	}
	return false;
}

/* Checks and takes one of the identifiers to add; false with the problem. */
static bool
take_item(const cJSON *object, int number, AltaItem *item, SbText *problem)
{
	SbMember	member[] = {{"identifier", NULL}, {"identifierType", NULL}, {"name", NULL}};
	char		where[40];
	char		prefix[40];

	snprintf(where, sizeof(where), "identifiers[%d]", number);
	snprintf(prefix, sizeof(prefix), "identifiers[%d].", number);
	if (!sb_body_pick(object, member, 3, where, prefix, problem) ||
		!take_identifier(member[0].value, member[1].value, prefix, item, problem))
		return false;
	return sb_body_string(&member[2], prefix, false, &item->name, problem);
}

/* Refuses, under on_duplicate=error, what is listed already or comes twice in the batch. */
static bool
check_duplicates(const SbAccount *account, const AltaItem *item, int count, SbText *problem)
{
	if (account->config.on_duplicate != SB_DUPLICATE_ERROR)
		return true;
	for (int i = 0; i < count; i++)
	{
		bool		listed = sb_store_find(&account->list, item[i].identifier,
										   strlen(item[i].identifier), item[i].type) != NULL;

		for (int j = 0; j < i && !listed; j++)
			listed = item[j].type == item[i].type &&
				strcmp(item[j].identifier, item[i].identifier) == 0;
		if (listed)
		{
			sb_text_printf(problem, "identifiers[%d] is already on the Do Not Contact list", i);
			return false;
		}
	}
	return true;
}

/* Checks an add request's body and takes its identifiers; how many, -1 with the problem. */
static int
take_items(const cJSON *root, AltaItem *item, SbText *problem)
{
	SbMember	member[] = {{"identifiers", NULL}, {"pauseActiveProspects", NULL}};
	const cJSON *object;
	int			count = 0;

	if (!sb_body_pick(root, member, 2, "The request body", "", problem))
		return -1;
	if (member[1].value != NULL && !cJSON_IsBool(member[1].value))
	{
		sb_text_str(problem, "pauseActiveProspects must be a boolean");
		return -1;
	}
	if (!cJSON_IsArray(member[0].value) || member[0].value->child == NULL)
	{
		sb_text_printf(problem, "identifiers must be an array of 1 to %d objects",
					   MAX_IDENTIFIERS);
		return -1;
	}
	cJSON_ArrayForEach(object, member[0].value)
	{
		if (count == MAX_IDENTIFIERS)
		{
			sb_text_printf(problem, "identifiers must not have more than %d items",
						   MAX_IDENTIFIERS);
			return -1;
		}
		if (!take_item(object, count, &item[count], problem))
			return -1;
		count++;
	}
	return count;
}

/* Gives a listed entry a member with a string value, in place of its old one if it has one. */
static void
set_member(cJSON *object, const char *name, const char *value)
{
	cJSON	   *string = cJSON_CreateString(value);

	if (cJSON_GetObjectItemCaseSensitive(object, name) != NULL)
		cJSON_ReplaceItemInObjectCaseSensitive(object, name, string);
	else
		cJSON_AddItemToObject(object, name, string);
}

/* Updates a listed entry: its label, if one is given, and the time of its last change. */
static void
update(SbAccount *account, SbEntry *entry, const char *label)
{
	cJSON	   *object = cJSON_ParseWithLength(sb_entry_json(entry), entry->json_len);
	SbText		time = {0};
	char	   *json;

	sb_text_time(&time, sb_epoch_ms());
	if (label != NULL)
		set_member(object, "label", label);
	set_member(object, "updatedAt", time.data);
	json = cJSON_PrintUnformatted(object);
	if (json != NULL)
		sb_store_replace(&account->list, entry, json, strlen(json));
	cJSON_free(json);
	cJSON_Delete(object);
	sb_text_free(&time);
}

/* Adds identifiers that were checked; gives how many were new. */
static int64_t
add_items(SbAccount *account, const AltaItem *item, int count)
{
	int64_t		fresh = 0;

	for (int i = 0; i < count; i++)
	{
		SbEntry    *listed = sb_store_find(&account->list, item[i].identifier,
										   strlen(item[i].identifier), item[i].type);
		AltaEntry	entry = {.kind = "added",.identifier = item[i].identifier,
			.type = item[i].type,.label = item[i].name,.manual = true};

		if (listed != NULL)
		{
			if (account->config.on_duplicate == SB_DUPLICATE_UPDATE)
				update(account, listed, item[i].name);
			continue;
		}
		entry.number = ++account->added;
		entry.created_ms = sb_epoch_ms();
		insert(account, sb_account_new_index(account), &entry);
		fresh++;
	}
	return fresh;
}

/* Makes the answer to a write that was done; the vendor documents no body. */
static void
answer_success(SbAnswer *answer)
{
	sb_answer_set(answer, 200, "application/json");
	sb_text_str(&answer->body, "{\"success\":true}");
}

/* POST: adds identifiers, all or none of them. */
static void
serve_add(SbCall *call, const cJSON *root, SbText *problem)
{
	AltaItem	item[MAX_IDENTIFIERS];
	int			count = take_items(root, item, problem);

	if (count < 0 || !check_duplicates(call->account, item, count, problem))
		return;
	call->entries = add_items(call->account, item, count);
	answer_success(&call->req->answer);
}

/* DELETE: takes one identifier off the list. */
static void
serve_delete(SbCall *call, const cJSON *root, SbText *problem)
{
	SbMember	member[] = {{"identifier", NULL}, {"identifierType", NULL}};
	AltaItem	item = {0};
	SbStore    *list = &call->account->list;
	SbEntry    *entry;

	if (!sb_body_pick(root, member, 2, "The request body", "", problem) ||
		!take_identifier(member[0].value, member[1].value, "", &item, problem))
		return;
	call->entries = 0;
	while ((entry = sb_store_find(list, item.identifier, strlen(item.identifier),
								  item.type)) != NULL)
	{
		sb_store_remove(list, entry);
		call->entries++;
	}
	if (call->entries > 0)
		answer_success(&call->req->answer);
	else
		sb_alta_error(&call->req->answer, 404, NULL);
}

/* POST and DELETE: the body must do before anything is done. */
static void
serve_write(SbCall *call)
{
	SbText		problem = {0};
	cJSON	   *root = NULL;

	if (call->req->query[0] != '\0')
		sb_text_str(&problem, "This request takes no query parameters");
	else
		root = sb_body_parse(call->req, &problem);
	if (root != NULL && call->action == SB_ACTION_ADD)
		serve_add(call, root, &problem);
	else if (root != NULL)
		serve_delete(call, root, &problem);
	if (problem.len > 0)
		sb_alta_error(&call->req->answer, 400, problem.data);
	cJSON_Delete(root);
	sb_text_free(&problem);
}

/* Does what a request asks for. */
static void
serve(SbCall *call)
{
	if (call->action == SB_ACTION_LIST)
		sb_alta_list(call);
	else if (call->action != SB_ACTION_OTHER)
		serve_write(call);
	else
		sb_api_no_resource(call, strcmp(call->path, RESOURCE) == 0 ? "GET, POST, DELETE" : NULL);
}

/* Settings about what only other vendors have. */
static const char *const no_settings[] = {"generation", "max_limit", NULL};

const SbApi sb_alta = {
	.name = "alta",
	.base = "/alta/v1",
	.types = types,
	.identify = sb_token_identify,
	.classify = classify,
	.serve = serve,
	.error = sb_alta_error,
	.fill = fill,
	.drift = drift,
	.defaults = {.rate_window_ms = 60000},
	.no_settings = no_settings,
	.id_member = "id",
	.name_member = "identifier",
	.type_member = "identifierType"
};
