/*
 * drift.c
 *		The list changes by itself while somebody reads it.
 *
 * That is what a reader by page numbers has to live with: each removal before its place moves
 * later entries to an earlier page, each addition moves them to a later one.  It strikes between
 * two pages, at the same places each time (the seed decides), so that tests can rely on it.
 */
#include "drift.h"

#include "api.h"

/* The index, below `count`, that is the next to change. */
static size_t
choose(SbAccount *account, size_t count)
{
	switch ((SbDriftAt) account->config.drift_at)
	{
		case SB_DRIFT_FRONT:
			return 0;
		case SB_DRIFT_END:
			return count - 1;
		case SB_DRIFT_RANDOM:
			return (size_t) sb_account_random(account, count);
	}
	return 0;
}

/* Removes and then adds as many entries as the settings say. */
void
sb_drift(SbAccount *account)
{
	SbEntry    *entry;

	for (long i = 0; i < account->config.drift_remove && account->list.count > 0; i++)
		if (sb_store_slice(&account->list, choose(account, account->list.count), 1, &entry) == 1)
			sb_store_remove(&account->list, entry);
	for (long i = 0; i < account->config.drift_add; i++)
		account->api->drift(account, choose(account, account->list.count + 1));
}
