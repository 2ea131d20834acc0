/*
 * api.c
 *		What happens to an API request, in which order, whichever vendor's it is.
 *
 * Token, log, rate limit, fault, work, fault of the answer, compression, latency, line.
 */
#include "api.h"

#include <stdio.h>
#include <string.h>

#include "timer.h"

/* All APIs.  A further one is a line here and a file. */
static const SbApi *const apis[] = {&sb_alta, &sb_sendkit, &sb_weya};

/* Entry n of a filled account was made n minutes after 2025-01-01T00:00:00Z. */
#define FILL_EPOCH_MS (INT64_C(1735689600) * 1000)
#define MINUTE_MS 60000

#define APIS (sizeof(apis) / sizeof(apis[0]))

/* The API of that name, NULL if there is none. */
const SbApi *
sb_api_find(const char *name, size_t len)
{
	for (size_t i = 0; i < APIS; i++)
		if (strlen(apis[i]->name) == len && memcmp(apis[i]->name, name, len) == 0)
			return apis[i];
	return NULL;
}

/* The APIs' path prefixes, for people. */
const char *
sb_api_bases(void)
{
	static char list[100];

	list[0] = '\0';
	for (size_t i = 0; i < APIS; i++)
	{
		if (i > 0)
			strncat(list, ", ", sizeof(list) - strlen(list) - 1);
		strncat(list, apis[i]->base, sizeof(list) - strlen(list) - 1);
	}
	return list;
}

/* The index of a type's name, -1 if the API has no such type. */
int
sb_api_type(const SbApi *api, const char *type)
{
	for (int i = 0; api->types[i] != NULL; i++)
		if (strcmp(api->types[i], type) == 0)
			return i;
	return -1;
}

/* Appends the names of all types, for messages. */
void
sb_api_type_list(const SbApi *api, SbText *into)
{
	for (int i = 0; api->types[i] != NULL; i++)
		sb_text_printf(into, "%s%s", i > 0 ? ", " : "", api->types[i]);
}

/* Answers a request that is for nothing; methods: what the path takes, NULL if it is nothing. */
void
sb_api_no_resource(SbCall *call, const char *methods)
{
	SbAnswer   *answer = &call->req->answer;

	call->account->api->error(answer, methods == NULL ? 404 : 405, NULL);
	if (methods != NULL)
		sb_answer_header(answer, "Allow", "%s", methods);
}

/* When the entry that belongs to a number was made: milliseconds since 1970. */
int64_t
sb_fill_ms(uint64_t number)
{
	return FILL_EPOCH_MS + (int64_t) number * MINUTE_MS;
}

/* The API whose prefix a path has, and the rest of the path; NULL if there is none. */
static const SbApi *
api_of_path(const char *path, const char **rest)
{
	for (size_t i = 0; i < APIS; i++)
	{
		size_t		len = strlen(apis[i]->base);

		if (strncmp(path, apis[i]->base, len) == 0 && (path[len] == '/' || path[len] == '\0'))
		{
			*rest = path + len;
			return apis[i];
		}
	}
	return NULL;
}

/* Whether a connection has not been seen by an account yet; it is from now on. */
static bool
first_seen(SbPeer *peer, uint64_t serial)
{
	for (size_t i = 0; i < peer->seens; i++)
		if (peer->seen[i] == serial)
			return false;
	peer->seen = sb_realloc(peer->seen, (peer->seens + 1) * sizeof(uint64_t));
	peer->seen[peer->seens++] = serial;
	return true;
}

/* Counts a request in the account's figures. */
static void
count(SbAccount *account, SbRequest *req, SbAction action)
{
	SbStats    *stats = &account->stats;

	stats->requests++;
	stats->list += action == SB_ACTION_LIST;
	stats->add += action == SB_ACTION_ADD;
	stats->delete += action == SB_ACTION_DELETE;
	stats->connections += first_seen(req->peer, account->serial);
	if (++account->in_flight > stats->in_flight_max)
		stats->in_flight_max = account->in_flight;
}

/* Lets the API work, under a fault if one is due. */
static void
work(SbCall *call)
{
	SbAccount  *account = call->account;
	SbAnswer   *answer = &call->req->answer;
	SbFault    *fault = sb_fault_take(&account->faults, call->req->method,
									  call->action == SB_ACTION_LIST);

	if (fault != NULL && sb_fault_replace(fault, answer, account->api->error))
	{
		sb_fault_done(&account->faults, fault);
		return;
	}
	call->fault = fault == NULL ? SB_FAULT_NONE : fault->kind;
	if (call->req->body_too_big)
		account->api->error(answer, 413, "The request body is too large");
	else
		account->api->serve(call);
	if (fault != NULL)
	{
		sb_fault_spoil(fault, answer);
		sb_fault_done(&account->faults, fault);
	}
}

/* Gives an answer that is made its weight, and the time that it takes to arrive. */
static void
send_later(SbRequest *req)
{
	SbAccount  *account = req->account;
	int64_t		now = sb_now_us();
	int64_t		ready = now + (int64_t) account->config.latency_ms * 1000;

	sb_wire_compress(req, &req->answer, (int) account->config.compress);
	req->answer.delay_us = sb_wire_pass(&account->line, &req->answer, account->config.bandwidth,
										ready) - now;
}

/* Answers a request if it is under an API's prefix; else false. */
bool
sb_api_serve(SbRequest *req)
{
	SbCall		call = {.req = req,.entries = -1};
	const SbApi *api = api_of_path(req->path, &call.path);
	char		name[SB_ACCOUNT_NAME_MAX + 1];
	SbAccount  *account;
	const char *refusal = NULL;
	int			refused;
	long		retry_after = 0;

	if (api == NULL)
		return false;
	refused = api->identify(req, name, &refusal);
	if (refused != 0)
	{
		api->error(&req->answer, refused, refusal);
		return true;
	}
	call.account = account = req->account = sb_account_get(api, name);
	call.action = api->classify(req->method, call.path);
	count(account, req, call.action);
	req->log_line = sb_log_open(&account->log, req->method, req->target + strlen(api->base),
								sb_server_ms());
	if (sb_limit_take(&account->limit, &account->config, &req->answer, &retry_after))
		work(&call);
	else
	{
		char		message[80];

		snprintf(message, sizeof(message),
				 "Rate limit exceeded. Please retry after %ld seconds.", retry_after);
		account->stats.rate_limited++;
		api->error(&req->answer, 429, message);
	}
	if (call.entries >= 0)
		sb_log_entries(&account->log, req->log_line, call.entries);
	sb_log_body(&account->log, req->log_line, &req->body);
	send_later(req);
	return true;
}

/* An answer goes out now. */
void
sb_api_answered(SbRequest *req)
{
	if (req->account != NULL)
		sb_log_status(&req->account->log, req->log_line, req->answer.status, sb_server_ms());
}

/* A request has ended, with or without an answer. */
void
sb_api_finished(SbRequest *req)
{
	if (req->account != NULL)
		req->account->in_flight--;
}
