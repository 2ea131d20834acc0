/*
 * account.c
 *		Accounts: each has its own list at one API, and everything that belongs to the list.
 *
 * An account begins to exist when a request first names it.  We empty it on order, but never free
 * it before the end, because requests under way may point to it.
 */
#include "account.h"

#include <stdlib.h>
#include <string.h>

#include "encode.h"

#define BUCKETS 1024

static SbAccount *bucket[BUCKETS];
static uint64_t last_serial;

/* The command line's rate limit for new accounts. */
static long default_rate_limit = 0;
static long default_window_ms = 60000;

/* Sets the rate limit that new and reset accounts begin with; 0 requests: none. */
void
sb_accounts_rate_limit(long requests, long window_ms)
{
	default_rate_limit = requests;
	default_window_ms = window_ms;
}

/* Whether len characters can be the name of an account: [a-z0-9_], not too many of them. */
bool
sb_account_name_valid(const char *name, size_t len)
{
	return len > 0 && len <= SB_ACCOUNT_NAME_MAX &&
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") >= len;
}

/* Restarts drift's random numbers, from the seed in the settings. */
void
sb_account_seed(SbAccount *account)
{
	account->random = sb_hash(1, &account->config.drift_seed,
							  sizeof(account->config.drift_seed)) | 1;
}

/* Restarts the random numbers of faults in the same way. */
void
sb_account_seed_faults(SbAccount *account)
{
	account->faults.random = sb_hash(2, &account->config.fault_seed,
									 sizeof(account->config.fault_seed)) | 1;
}

/* Sets the initial values of an account whose parts are all empty. */
static void
begin(SbAccount *account)
{
	account->serial = ++last_serial;
	account->config = account->api->defaults;
	account->config.rate_limit = default_rate_limit;
	account->config.rate_window_ms = default_window_ms;
	sb_account_seed(account);
	sb_account_seed_faults(account);
}

/* The account with that (valid) name at an API; makes a new account if there is none. */
SbAccount *
sb_account_get(const SbApi *api, const char *name)
{
	SbAccount **first = &bucket[sb_hash((uintptr_t) api, name, strlen(name)) % BUCKETS];
	SbAccount  *account = *first;

	while (account != NULL && (account->api != api || strcmp(account->name, name) != 0))
		account = account->next;
	if (account == NULL)
	{
		account = sb_alloc(sizeof(SbAccount));
		account->api = api;
		strcpy(account->name, name);
		account->next = *first;
		*first = account;
		begin(account);
	}
	return account;
}

/* Empties the log of requests, and with it the record of drift. */
void
sb_account_clear_log(SbAccount *account)
{
	sb_log_clear(&account->log);
	sb_text_free(&account->changes);
	account->changes_dropped = 0;
}

/* Empties an account. */
static void
clear(SbAccount *account)
{
	sb_views_clear(&account->views);
	sb_store_clear(&account->list);
	sb_faults_clear(&account->faults);
	sb_text_free(&account->used_cursors);
	sb_account_clear_log(account);
}

/* Makes an account as good as new. */
void
sb_account_reset(SbAccount *account)
{
	clear(account);
	memset(&account->faults, 0, sizeof(account->faults));
	memset(&account->limit, 0, sizeof(account->limit));
	memset(&account->line, 0, sizeof(account->line));
	memset(&account->stats, 0, sizeof(account->stats));
	account->stats.in_flight_max = account->in_flight;
	account->filled = account->added = account->drifted = 0;
	begin(account);
}

/* A number from 0 to below - 1, from drift's generator. */
uint64_t
sb_account_random(SbAccount *account, uint64_t below)
{
	return sb_random(&account->random, below);
}

/* Whether another account of the same API has an entry with that id. */
bool
sb_account_others_have(const SbAccount *account, const char *id, size_t id_len)
{
	for (int i = 0; i < BUCKETS; i++)
		for (const SbAccount *other = bucket[i]; other != NULL; other = other->next)
			if (other != account && other->api == account->api &&
				sb_store_find_id(&other->list, id, id_len) != NULL)
				return true;
	return false;
}

/* The index of a new entry in the list. */
size_t
sb_account_new_index(SbAccount *account)
{
	if (account->config.order == SB_ORDER_RANDOM)
		return (size_t) sb_account_random(account, account->list.count + 1);
	return account->config.order == SB_ORDER_NEWEST ? 0 : account->list.count;
}

/*
 * Notes that a list request uses a cursor, or starts again without one.  False, with the
 * problem, if each cursor is good for one use and this cursor was used since the last start.
 */
bool
sb_account_use_cursor(SbAccount *account, const SbQuery *query, SbText *problem)
{
	const SbParam *param = sb_query_get(query, "cursor");
	uint64_t	hash;

	if (param == NULL)
		sb_text_free(&account->used_cursors);
	if (param == NULL || account->config.cursor_use == 0)
		return true;
	hash = sb_hash(0, param->value, param->value_len);
	for (size_t i = 0; i < account->used_cursors.len; i += sizeof(hash))
	{
		if (memcmp(account->used_cursors.data + i, &hash, sizeof(hash)) == 0)
		{
			sb_text_str(problem, "cursor was used before");
			return false;
		}
	}
	sb_text_add(&account->used_cursors, (const char *) &hash, sizeof(hash));
	return true;
}

/* Frees all accounts, at the end of the program. */
void
sb_accounts_free(void)
{
	for (int i = 0; i < BUCKETS; i++)
	{
		while (bucket[i] != NULL)
		{
			SbAccount  *account = bucket[i];

			bucket[i] = account->next;
			clear(account);
			free(account);
		}
	}
}
