/*
 * alta_entry.c
 *		How we write Alta's errors and entries.
 */
#include "alta_entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "encode.h"
#include "timer.h"

/* In the documented order; an entry's type is an index into this. */
const char *const sb_alta_types[] = {"email", "linkedin", "phone", "sms", "whatsapp", "web_chat",
NULL};

static const char *const fill_forms[] = {
	"person%06" PRIu64 "@example.com",
	"https://www.linkedin.com/in/person-%06" PRIu64,
	"+1555%07" PRIu64,
	"+1556%07" PRIu64,
	"+1557%07" PRIu64,
	"visitor-%06" PRIu64
};

/* The vendor's names for statuses, and a message for each if there is no better one. */
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

/* Makes the answer an error in the vendor's form; NULL message: the status's usual message. */
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

/* Makes an entry and puts it into the account's list at an index. */
SbEntry *
sb_alta_insert(SbAccount *account, size_t index, const AltaEntry *entry)
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
	sb_text_member(&json, "identifierType", sb_alta_types[entry->type]);
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

/* Adds the entry for a number; false if its identifier is on the list already. */
bool
sb_alta_fill(SbAccount *account, uint64_t number, int type)
{
	char		identifier[80];
	char		label[40];
	AltaEntry	entry = {.kind = sb_alta_types[type],.number = number,.identifier = identifier,
		.type = type,.manual = number % 2 == 1,
	.created_ms = sb_api_fill_ms(number)};

	snprintf(identifier, sizeof(identifier), fill_forms[type], number);
	snprintf(label, sizeof(label), "Person %" PRIu64, number);
	if (number % 3 == 0)
		entry.label = label;
	if (sb_store_find(&account->list, identifier, strlen(identifier), type) != NULL)
		return false;
	sb_alta_insert(account, sb_account_new_index(account), &entry);
	return true;
}

/* Adds the next drift entry at an index. */
SbEntry *
sb_alta_drift(SbAccount *account, size_t index)
{
	char		identifier[80];
	AltaEntry	entry = {.kind = "drift",.number = ++account->drifted,
		.identifier = identifier,.type = 0,.manual = false,.created_ms = sb_epoch_ms()};

	snprintf(identifier, sizeof(identifier), "drift-%06" PRIu64 "@example.com",
			 account->drifted);
	return sb_alta_insert(account, index, &entry);
}
