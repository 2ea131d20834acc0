/*
 * control.c
 *		The endpoints below /sandbox/ with which tests and people direct the sandbox.
 *
 * They need no token, so only clients on this machine may use them.  We never log, limit or delay
 * them.
 */
#include "control.h"

#include <inttypes.h>
#include <string.h>

#include "account.h"
#include "control_list.h"
#include "registry.h"

/* PUT config: applies all settings or none. */
static void
put_config(SbAccount *account, const SbQuery *query, SbRequest *req)
{
	SbText		problem = {0};
	long		limit = account->config.rate_limit;
	long		window_ms = account->config.rate_window_ms;

	if (sb_config_apply(&account->config, account->api->no_settings, query, &problem))
	{
		if (limit != account->config.rate_limit || window_ms != account->config.rate_window_ms)
			memset(&account->limit, 0, sizeof(account->limit));
		if (sb_query_get(query, "drift_seed") != NULL)
			sb_account_seed(account);
		if (sb_query_get(query, "fault_seed") != NULL)
			sb_account_seed_faults(account);
		sb_answer_text(&req->answer, 200, "ok");
	}
	else
		sb_answer_text(&req->answer, 400, "%s", problem.data);
	sb_text_free(&problem);
}

/* POST fault: queues a fault. */
static void
post_fault(SbAccount *account, const SbQuery *query, SbRequest *req)
{
	SbText		problem = {0};

	if (sb_fault_order(&account->faults, account->api->no_faults, query, &req->body, &problem))
		sb_answer_text(&req->answer, 200, "ok");
	else
		sb_answer_text(&req->answer, 400, "%s", problem.data);
	sb_text_free(&problem);
}

/* DELETE fault: calls off all faults. */
static void
delete_fault(SbAccount *account, const SbQuery *query, SbRequest *req)
{
	(void) query;
	sb_faults_clear(&account->faults);
	sb_answer_text(&req->answer, 200, "ok");
}

/* Whether a parameter is given and not 0. */
static bool
flag(const SbQuery *query, const char *name)
{
	const SbParam *param = sb_query_get(query, name);

	return param != NULL && strcmp(param->value, "0") != 0;
}

/* GET log: the requests, a line each. */
static void
get_log(SbAccount *account, const SbQuery *query, SbRequest *req)
{
	sb_answer_set(&req->answer, 200, "text/plain; charset=utf-8");
	sb_log_print(&account->log, &req->answer.body, flag(query, "bodies"), flag(query, "times"));
}

/* DELETE log: empties it, and the record of drift. */
static void
delete_log(SbAccount *account, const SbQuery *query, SbRequest *req)
{
	(void) query;
	sb_account_clear_log(account);
	sb_answer_text(&req->answer, 200, "ok");
}

/* GET changes: the entries that drift removed and added since the log was last emptied. */
static void
get_changes(SbAccount *account, const SbQuery *query, SbRequest *req)
{
	(void) query;
	if (account->changes_dropped > 0)
	{
		sb_answer_text(&req->answer, 409, "%" PRIu64 " changes were too many to be kept; "
					   "empty the log more often", account->changes_dropped);
		return;
	}
	sb_answer_set(&req->answer, 200, "text/plain; charset=utf-8");
	sb_text_add(&req->answer.body, account->changes.data, account->changes.len);
}

/* GET stats: the account's figures. */
static void
get_stats(SbAccount *account, const SbQuery *query, SbRequest *req)
{
	const SbStats *stats = &account->stats;

	(void) query;
	sb_answer_text(&req->answer, 200,
				   "requests %" PRIu64 "\nlist %" PRIu64 "\nadd %" PRIu64 "\ndelete %" PRIu64
				   "\nrate_limited %" PRIu64 "\nconnections %" PRIu64 "\nin_flight_max %" PRIu64
				   "\nlog_dropped %" PRIu64 "\nadmin_mails %" PRIu64,
				   stats->requests, stats->list, stats->add, stats->delete, stats->rate_limited,
				   stats->connections, stats->in_flight_max, account->log.dropped,
				   stats->admin_mails);
	sb_faults_print(&account->faults, &req->answer.body);
}

/* DELETE of the account itself: everything back to new. */
static void
delete_account(SbAccount *account, const SbQuery *query, SbRequest *req)
{
	(void) query;
	sb_account_reset(account);
	sb_answer_text(&req->answer, 200, "ok");
}

static const struct
{
	const char *method;
	const char *what;			/* behind /sandbox/PROVIDER/ACCOUNT */
	void		(*serve) (SbAccount *account, const SbQuery *query, SbRequest *req);
}			endpoints[] = {
	{"POST", "/fill", sb_control_fill},
	{"PUT", "/entries", sb_control_put_entries},
	{"GET", "/entries", sb_control_get_entries},
	{"GET", "/count", sb_control_get_count},
	{"PUT", "/config", put_config},
	{"POST", "/fault", post_fault},
	{"DELETE", "/fault", delete_fault},
	{"GET", "/log", get_log},
	{"DELETE", "/log", delete_log},
	{"GET", "/changes", get_changes},
	{"GET", "/stats", get_stats},
	{"DELETE", "", delete_account}
};

#define ENDPOINTS (sizeof(endpoints) / sizeof(endpoints[0]))

/* The account in /sandbox/PROVIDER/ACCOUNT, and the rest of the path; NULL for any other path. */
static SbAccount *
account_of_path(const char *path, const char **what)
{
	const char *provider = path + strlen("/sandbox/");
	const char *name = strchr(provider, '/');
	char		account[SB_ACCOUNT_NAME_MAX + 1] = {0};
	const SbApi *api;
	size_t		len;

	if (name == NULL)
		return NULL;
	api = sb_registry_find(provider, (size_t) (name - provider));
	name++;
	len = strcspn(name, "/");
	if (api == NULL || !sb_account_name_valid(name, len))
		return NULL;
	memcpy(account, name, len);
	*what = name + len;
	return sb_account_get(api, account);
}

/* Calls the endpoint for a request. */
static void
serve_endpoint(SbAccount *account, const char *what, const SbQuery *query, SbRequest *req)
{
	for (size_t i = 0; i < ENDPOINTS; i++)
	{
		if (strcmp(endpoints[i].method, req->method) == 0 &&
			strcmp(endpoints[i].what, what) == 0)
		{
			endpoints[i].serve(account, query, req);
			return;
		}
	}
	sb_answer_set(&req->answer, 404, "text/plain; charset=utf-8");
	sb_text_printf(&req->answer.body, "no such control endpoint; behind %.*s there are\n",
				   (int) (strlen(req->path) - strlen(what)), req->path);
	for (size_t i = 0; i < ENDPOINTS; i++)
		sb_text_printf(&req->answer.body, "%s %s\n", endpoints[i].method,
					   endpoints[i].what[0] == '\0' ? "(nothing)" : endpoints[i].what);
}

/* Answers a request whose path begins with /sandbox/. */
void
sb_control_serve(SbRequest *req)
{
	SbAccount  *account;
	const char *what;
	SbText		problem = {0};
	SbQuery		query = {.params = 0};

	if (!req->peer->loopback)
		sb_answer_text(&req->answer, 403, "controls are for clients on this machine");
	else if (strcmp(req->path, "/sandbox/health") == 0)
		sb_answer_text(&req->answer, 200, "ok");
	else if (req->body_too_big)
		sb_answer_text(&req->answer, 413, "the body is too large");
	else if ((account = account_of_path(req->path, &what)) == NULL)
		sb_answer_text(&req->answer, 404, "controls are under /sandbox/PROVIDER/ACCOUNT, "
					   "with a provider that is played here and an account of [a-z0-9_]");
	else if (!sb_query_parse(&query, req->query, &problem))
		sb_answer_text(&req->answer, 400, "%s", problem.data);
	else
		serve_endpoint(account, what, &query, req);
	sb_query_free(&query);
	sb_text_free(&problem);
}
