/*
 * serve.c
 *		The steps of an API request, in their order, for all vendors.
 *
 * Thinking time, token, log, rate limit, fault, work, fault of the answer, compression, latency,
 * line.
 */
#include "serve.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "account.h"
#include "registry.h"
#include "timer.h"

/* Whether an account sees a connection for the first time; the account remembers it from now on. */
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

/* The scope in which faults count a request. */
static SbFaultScope
scope_of(SbAction action)
{
	if (action == SB_ACTION_LIST)
		return SB_FAULT_OF_LIST;
	return action == SB_ACTION_ADD ? SB_FAULT_OF_ADD : SB_FAULT_OF_ANY;
}

/* Lets the API work, under a fault if one is due. */
static void
work(SbCall *call)
{
	SbAccount  *account = call->account;
	SbAnswer   *answer = &call->req->answer;
	SbFault    *fault = sb_fault_take(&account->faults, call->req->method,
									  scope_of(call->action));

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

/* Gives an answer a header Date, in the form of RFC 9110. */
static void
set_date(SbAnswer *answer, time_t when)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
	"Sep", "Oct", "Nov", "Dec"};
	struct tm	utc;

	gmtime_r(&when, &utc);
	sb_answer_header(answer, "Date", "%s, %02d %s %d %02d:%02d:%02d GMT", days[utc.tm_wday],
					 utc.tm_mday, months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour,
					 utc.tm_min, utc.tm_sec);
}

/* Gives a finished answer its weight, and the time that it takes to arrive. */
static void
send_later(SbRequest *req)
{
	SbAccount  *account = req->account;
	int64_t		now = sb_now_us();
	int64_t		ready = now + (int64_t) account->config.latency_ms * 1000;

	if (account->config.clock_offset != 0)
		set_date(&req->answer, time(NULL) + account->config.clock_offset);
	sb_wire_compress(req, &req->answer, (int) account->config.compress);
	req->answer.delay_us = sb_wire_pass(&account->line, &req->answer, account->config.bandwidth,
										ready) - now;
}

/* The microseconds for which a request waits before we work on it. */
int64_t
sb_serve_think(SbRequest *req)
{
	const char *path;
	const SbApi *api = sb_registry_of_path(req->path, &path);
	char		name[SB_ACCOUNT_NAME_MAX + 1];
	const char *refusal = NULL;
	SbAccount  *account;

	if (api == NULL || api->identify(req, name, &refusal) != 0)
		return 0;
	account = sb_account_get(api, name);
	if (account->config.think_ms == 0)
		return 0;
	return (int64_t) sb_account_random(account, (uint64_t) account->config.think_ms * 1000 + 1);
}

/* Answers a request under an API's prefix; false if it is under none. */
bool
sb_serve_request(SbRequest *req)
{
	SbCall		call = {.req = req,.entries = -1};
	const SbApi *api = sb_registry_of_path(req->path, &call.path);
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
	call.api = api;
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
sb_serve_answered(SbRequest *req)
{
	if (req->account != NULL)
		sb_log_status(&req->account->log, req->log_line, req->answer.status, sb_server_ms());
}

/* A request has ended, with or without an answer. */
void
sb_serve_finished(SbRequest *req)
{
	if (req->account != NULL)
		req->account->in_flight--;
}
