/*
 * sendkit_entry.c
 *		How we write SendKit's errors and entries.
 */
#include "sendkit_entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "encode.h"
#include "timer.h"

/* In the documented order; an entry's type is an index into this. */
const char *const sb_sendkit_types[] = {"email", "domain", NULL};

static const char *const fill_forms[] = {
	"person%06" PRIu64 "@example.com",
	"domain%06" PRIu64 ".example"
};

/* Makes the answer an error in the vendor's form; NULL message: the status's usual message. */
void
sb_sendkit_error(SbAnswer *answer, int status, const char *message)
{
	sb_answer_set(answer, status, "application/json");
	sb_text_str(&answer->body, "{\"success\":false");
	sb_text_member(&answer->body, "message", message == NULL ? sb_status_text(status) : message);
	sb_text_str(&answer->body, "}");
}

/* Makes an entry and puts it into the account's list at an index. */
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
	sb_text_member(&json, "entryType", sb_sendkit_types[entry->type]);
	sb_text_printf(&json, ",\"workspaceId\":\"" SB_SENDKIT_WORKSPACE "%s\"", account->name);
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

/* The type of an addition without a type: an email has an @, anything else is a domain. */
int
sb_sendkit_type(const char *email)
{
	return strchr(email, '@') != NULL ? 0 : 1;
}

/* Adds the entry for a number; false if its email is on the list already. */
bool
sb_sendkit_fill(SbAccount *account, uint64_t number, int type)
{
	char		email[80];
	SendkitEntry entry = {.kind = sb_sendkit_types[type],.number = number,.email = email,.type = type,
	.reason = "manual",.created_ms = sb_api_fill_ms(number)};

	snprintf(email, sizeof(email), fill_forms[type], number);
	if (sb_store_find_folded(&account->list, email, strlen(email)) != NULL)
		return false;
	sb_sendkit_insert(account, sb_account_new_index(account), &entry);
	return true;
}

/* Adds the next drift entry at an index. */
SbEntry *
sb_sendkit_drift(SbAccount *account, size_t index)
{
	char		email[80];
	SendkitEntry entry = {.kind = "drift",.number = ++account->drifted,.email = email,.type = 0,
	.reason = "manual",.created_ms = sb_epoch_ms()};

	snprintf(email, sizeof(email), "drift-%06" PRIu64 "@example.com", account->drifted);
	return sb_sendkit_insert(account, index, &entry);
}
