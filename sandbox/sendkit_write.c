/*
 * sendkit_write.c
 *		SendKit's requests that change the list: add, import, delete.
 *
 * We check the whole body before we do anything, so a refused batch changes nothing.
 */
#include "sendkit_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "sendkit_entry.h"
#include "timer.h"

#define MAX_ENTRIES 10000

/* The differences between the two ways of adding. */
typedef struct SendkitAdd
{
	int			members;		/* members of an entry: email, reason and, with import, type */
	const char *reason;			/* reason of entries without one */
	const char *added;			/* name of the member with the number of new entries */
} SendkitAdd;

static const SendkitAdd by_add = {2, "manual", "added"};
static const SendkitAdd by_import = {3, "import", "imported"};

/* One of the entries of a body; the strings belong to the parsed body. */
typedef struct SendkitItem
{
	const char *email;
	int			type;
	const char *reason;
} SendkitItem;

/* Turns ASCII letters into lower case, in place. */
static void
fold(char *string)
{
	for (; *string != '\0'; string++)
		*string = (char) sb_fold(*string);
}

/* Checks and takes one of the entries to add; false with the problem. */
static bool
take_item(const cJSON *object, int number, const SendkitAdd *add, SendkitItem *item,
		  SbText *problem)
{
	SbMember	member[] = {{"email", NULL}, {"reason", NULL}, {"type", NULL}};
	const char *type;
	char		where[40];
	char		prefix[40];

	snprintf(where, sizeof(where), "entries[%d]", number);
	snprintf(prefix, sizeof(prefix), "entries[%d].", number);
	if (!sb_body_pick(object, member, add->members, where, prefix, problem) ||
		!sb_body_string(&member[0], prefix, true, &item->email, problem) ||
		!sb_body_string(&member[1], prefix, false, &item->reason, problem))
		return false;
	fold(member[0].value->valuestring);
	if (item->reason == NULL)
		item->reason = add->reason;
	item->type = sb_sendkit_type(item->email);
	if (add->members < 3)
		return true;
	if (!sb_body_string(&member[2], prefix, true, &type, problem))
		return false;
	item->type = sb_api_type(sb_sendkit_types, type);
	if (item->type >= 0)
		return true;
	sb_text_printf(problem, "%stype must be one of ", prefix);
	sb_api_type_list(sb_sendkit_types, problem);
	return false;
}

/* Checks an add request's body and takes its entries, for free(); NULL with the problem. */
static SendkitItem *
take_items(const cJSON *root, const SendkitAdd *add, int *count, SbText *problem)
{
	SbMember	member = {"entries", NULL};
	const cJSON *object;
	SendkitItem *item;

	if (!sb_body_pick(root, &member, 1, "The request body", "", problem))
		return NULL;
	*count = cJSON_IsArray(member.value) ? cJSON_GetArraySize(member.value) : 0;
	if (*count < 1 || *count > MAX_ENTRIES)
	{
		sb_text_printf(problem, "entries must be an array of 1 to %d objects", MAX_ENTRIES);
		return NULL;
	}
	item = sb_alloc((size_t) *count * sizeof(SendkitItem));
	*count = 0;
	cJSON_ArrayForEach(object, member.value)
	{
		if (take_item(object, *count, add, &item[*count], problem))
		{
			(*count)++;
			continue;
		}
		free(item);
		return NULL;
	}
	return item;
}

/*
 * POST: adds the entries that are not on the list yet, and counts the others as skipped.  Under
 * SB_FAULT_SKIP, the first entry that is not on the list is skipped, too.
 */
static void
serve_add(SbCall *call, const cJSON *root, const SendkitAdd *add, SbText *problem)
{
	SbAccount  *account = call->account;
	bool		skip = call->fault == SB_FAULT_SKIP;
	int			count = 0;
	SendkitItem *item = take_items(root, add, &count, problem);

	if (item == NULL)
		return;
	call->entries = 0;
	for (int i = 0; i < count; i++)
	{
		SendkitEntry entry = {.kind = "added",.email = item[i].email,.type = item[i].type,
		.reason = item[i].reason,.created_ms = sb_epoch_ms()};

		if (sb_store_find_folded(&account->list, entry.email, strlen(entry.email)) != NULL)
			continue;
		if (skip)
		{
			skip = false;
			continue;
		}
		entry.number = ++account->added;
		sb_sendkit_insert(account, sb_account_new_index(account), &entry);
		call->entries++;
	}
	free(item);
	sb_answer_set(&call->req->answer, 200, "application/json");
	sb_text_printf(&call->req->answer.body,
				   "{\"success\":true,\"data\":{\"%s\":%" PRId64 ",\"skipped\":%" PRId64 "}}",
				   add->added, call->entries, count - call->entries);
}

/* Takes emails off the list; returns the number of entries removed, or -1 with the problem. */
static int64_t
delete_emails(SbStore *list, const cJSON *emails, SbText *problem)
{
	const cJSON *email;
	int64_t		deleted = 0;

	if (!cJSON_IsArray(emails) || emails->child == NULL)
		sb_text_str(problem, "emails must be an array of 1 or more strings");
	cJSON_ArrayForEach(email, emails)
	{
		if (problem->len == 0 && (!cJSON_IsString(email) || email->valuestring[0] == '\0'))
			sb_text_str(problem, "emails must hold non-empty strings only");
	}
	if (problem->len > 0)
		return -1;
	cJSON_ArrayForEach(email, emails)
	{
		const char *name = email->valuestring;
		SbEntry    *entry;

		while ((entry = sb_store_find_folded(list, name, strlen(name))) != NULL)
		{
			sb_store_remove(list, entry);
			deleted++;
		}
	}
	return deleted;
}

/* Removes all entries that match a search and a type; returns how many, or -1 with the problem. */
static int64_t
delete_selected(SbAccount *account, const SbMember *search, const SbMember *type,
				SbText *problem)
{
	SbFilter	filter = {.type = SB_ANY_TYPE,.match = SB_MATCH_SUBSTRING,.fold = true};
	SbEntry   **entry;
	SbView		view;

	if (search->value != NULL && !sb_body_string(search, "", true, &filter.search, problem))
		return -1;
	if (filter.search != NULL)
		filter.search_len = strlen(filter.search);
	if (type->value != NULL)
	{
		filter.type = cJSON_IsString(type->value) ?
			sb_api_type(sb_sendkit_types, type->value->valuestring) : -1;
		if (filter.type < 0)
		{
			sb_text_str(problem, "type must be one of ");
			sb_api_type_list(sb_sendkit_types, problem);
			return -1;
		}
	}
	view = sb_view_open(&account->views, &account->list, &filter);
	entry = sb_alloc(view.count * sizeof(SbEntry *));
	sb_view_slice(&view, 0, view.count, entry);
	for (size_t i = 0; i < view.count; i++)
		sb_store_remove(&account->list, entry[i]);
	free(entry);
	return (int64_t) view.count;
}

/* DELETE: removes entries from the list, by their emails or all that match. */
static void
serve_delete(SbCall *call, const cJSON *root, SbText *problem)
{
	SbMember	member[] = {{"emails", NULL}, {"selectAll", NULL}, {"search", NULL},
	{"type", NULL}};

	if (!sb_body_pick(root, member, 4, "The request body", "", problem))
		return;
	if (member[1].value == NULL && (member[2].value != NULL || member[3].value != NULL))
		sb_text_str(problem, "search and type go with selectAll only");
	else if (member[1].value == NULL)
		call->entries = delete_emails(&call->account->list, member[0].value, problem);
	else if (member[0].value != NULL)
		sb_text_str(problem, "Send either emails or selectAll, not both");
	else if (!cJSON_IsTrue(member[1].value))
		sb_text_str(problem, "selectAll must be true");
	else
		call->entries = delete_selected(call->account, &member[2], &member[3], problem);
	if (problem->len > 0)
		return;
	sb_answer_set(&call->req->answer, 200, "application/json");
	sb_text_printf(&call->req->answer.body,
				   "{\"success\":true,\"data\":{\"deleted\":%" PRId64 "}}", call->entries);
}

/* POST and DELETE: checks the whole body before it does anything. */
void
sb_sendkit_write(SbCall *call)
{
	SbText		problem = {0};
	cJSON	   *root = NULL;

	if (call->req->query[0] != '\0')
		sb_text_str(&problem, "This request takes no query parameters");
	else
		root = sb_body_parse(call->req, &problem);
	if (root != NULL && call->action == SB_ACTION_ADD)
		serve_add(call, root, strstr(call->path, "/import") != NULL ? &by_import : &by_add,
				  &problem);
	else if (root != NULL)
		serve_delete(call, root, &problem);
	if (problem.len > 0)
		sb_sendkit_error(&call->req->answer, 400, problem.data);
	cJSON_Delete(root);
	sb_text_free(&problem);
}
