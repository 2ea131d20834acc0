/*
 * drift.c
 *		Changes of the list by itself, while somebody reads it.
 *
 * A reader by page numbers has to live with this: each removal before its place moves later
 * entries to an earlier page, each addition moves them to a later page.  Drift strikes between
 * two pages.  It strikes at the same places each time (the seed decides), so tests can rely on
 * it.  And it keeps a record, so tests know which entries were on the list all the time.
 */
#include "drift.h"

#define MAX_CHANGES ((size_t) 64 << 20)	/* bytes of the record */

/* The index of the next entry to change, below `count`. */
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

/* Records that an entry comes (+) or goes (-). */
static void
record(SbAccount *account, char sign, const SbEntry *entry)
{
	if (account->changes.len > MAX_CHANGES)
	{
		account->changes_dropped++;
		return;
	}
	sb_text_printf(&account->changes, "%c ", sign);
	sb_text_add(&account->changes, sb_entry_key(entry, SB_BY_ID), entry->key[SB_BY_ID].len);
	sb_text_add(&account->changes, "\n", 1);
}

/* Removes and then adds as many entries as the settings say. */
void
sb_drift(SbAccount *account)
{
	SbEntry    *entry;

	for (long i = 0; i < account->config.drift_remove && account->list.count > 0; i++)
	{
		sb_store_slice(&account->list, choose(account, account->list.count), 1, &entry);
		record(account, '-', entry);
		sb_store_remove(&account->list, entry);
	}
	for (long i = 0; i < account->config.drift_add; i++)
	{
		entry = account->api->drift(account, choose(account, account->list.count + 1));
		record(account, '+', entry);
	}
}
