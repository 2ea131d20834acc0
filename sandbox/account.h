/*
 * account.h
 *		Accounts: each has its own list at one API, and everything that belongs to the list.
 */
#ifndef SB_ACCOUNT_H
#define SB_ACCOUNT_H

#include "api.h"
#include "config.h"
#include "fault.h"
#include "limit.h"
#include "log.h"
#include "store.h"
#include "view.h"
#include "wire.h"

#define SB_ACCOUNT_NAME_MAX 63

typedef struct SbStats
{
	uint64_t	requests;
	uint64_t	list;
	uint64_t	add;
	uint64_t	delete;
	uint64_t	rate_limited;
	uint64_t	connections;
	uint64_t	in_flight_max;
	uint64_t	admin_mails;
} SbStats;

typedef struct SbAccount
{
	struct SbAccount *next;
	const SbApi *api;
	char		name[SB_ACCOUNT_NAME_MAX + 1];
	uint64_t	serial;			/* never used twice, not even after a reset */
	SbStore		list;
	SbViews		views;
	SbConfig	config;
	SbFaults	faults;
	SbLimit		limit;
	SbLine		line;
	SbLog		log;
	SbStats		stats;
	uint64_t	in_flight;		/* requests whose answer is not over; a reset keeps this */
	uint64_t	filled;			/* entries asked for by fill so far */
	uint64_t	added;			/* number of the last entry added through the API */
	uint64_t	drifted;		/* entries added by drift so far */
	uint64_t	random;			/* generator for drift and other chance, except faults */
	SbText		changes;		/* drift's changes since the log was last emptied, as text */
	SbText		used_cursors;	/* hashes, if each cursor is good for one use */
	uint64_t	changes_dropped;	/* changes that we had no room to keep */
} SbAccount;

extern void sb_accounts_rate_limit(long requests, long window_ms);
extern bool sb_account_name_valid(const char *name, size_t len);
extern SbAccount *sb_account_get(const SbApi *api, const char *name);
extern void sb_account_reset(SbAccount *account);
extern void sb_account_clear_log(SbAccount *account);
extern void sb_account_seed(SbAccount *account);
extern void sb_account_seed_faults(SbAccount *account);
extern uint64_t sb_account_random(SbAccount *account, uint64_t below);
extern bool sb_account_others_have(const SbAccount *account, const char *id, size_t id_len);
extern size_t sb_account_new_index(SbAccount *account);
extern bool sb_account_use_cursor(SbAccount *account, const SbQuery *query, SbText *problem);
extern void sb_accounts_free(void);

#endif							/* SB_ACCOUNT_H */
