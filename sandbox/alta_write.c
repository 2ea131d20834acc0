/*
 * alta_write.c
 *		Alta's requests that change the list: add and delete.
 *
 * We check the whole body before we do anything, so a refused batch changes nothing.
 */
#include "alta_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alta_entry.h"
#include "body.h"
#include "timer.h"

#define MAX_IDENTIFIERS 500

/* One of the identifiers of a body; the strings belong to the parsed body. */
typedef struct AltaItem
{
	const char *identifier;
	int			type;
	const char *name;			/* NULL: not given */
} AltaItem;

/* Checks and takes an identifier and its type; false with the problem. */
static bool
take_identifier(const cJSON *identifier, const cJSON *type, const char *prefix, AltaItem *item,
				SbText *problem)
{
	item->type = cJSON_IsString(type) ? sb_api_type(sb_alta_types, type->valuestring) : -1;
	if (!cJSON_IsString(identifier) || identifier->valuestring[0] == '\0')
		sb_text_printf(problem, "%sidentifier must be a non-empty string", prefix);
	else if (item->type < 0)
	{
		sb_text_printf(problem, "%sidentifierType must be one of ", prefix);
		sb_api_type_list(sb_alta_types, problem);
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

/* Refuses, under on_duplicate=error, an item that is on the list or comes twice in the batch. */
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

/* Checks an add request's body and takes its identifiers; returns how many; -1 with the problem. */
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

/* Sets a string member of a listed entry, replacing its old value if there is one. */
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

/* Adds checked identifiers; returns how many were new. */
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
		sb_alta_insert(account, sb_account_new_index(account), &entry);
		fresh++;
	}
	return fresh;
}

/* Makes the answer to a successful write; the vendor documents no body. */
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

/* POST and DELETE: checks the whole body before it does anything. */
void
sb_alta_write(SbCall *call)
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
