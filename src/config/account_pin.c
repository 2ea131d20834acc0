/*-------------------------------------------------------------------------
 *
 * account_pin.c
 *		The accounts that this transaction uses.
 *
 * Address and token determine the list.  They can change in mid-transaction: the
 * transaction itself can change them, or another session that commits.  Then a removal
 * could go to another list than the one that its rows came from.  So a transaction keeps
 * to the account that it used first, for each server and role.  We refuse a statement
 * that would use another account.
 *
 * A savepoint that is rolled back takes its uses with it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "config/account_pin.h"

/* One account in use; all of it is palloc'd in TopTransactionContext. */
typedef struct AccountPin
{
	struct AccountPin *next;
	Oid			serverid;
	Oid			userid;
	Oid			mapping;
	int			nest_level;		/* the level of the (sub)transaction that used it first */
	const DncProvider *provider;
	char	   *base_url;
	char	   *token;
	char	   *workspace_id;	/* NULL: none */
} AccountPin;

/* This transaction's accounts; NULL: none used yet. */
static AccountPin *pins = NULL;

/* XactCallback: the transaction ends, so forget its accounts. */
static void
at_transaction_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			pins = NULL;		/* their memory goes with the transaction's memory */
			break;
		default:
			break;
	}
}

/* SubXactCallback: forget uses that are rolled back, and pass the others to the parent. */
static void
at_subtransaction_event(SubXactEvent event, SubTransactionId subid, SubTransactionId parentid,
						void *arg)
{
	int			level = GetCurrentTransactionNestLevel();
	AccountPin **link = &pins;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	while (*link)
	{
		AccountPin *pin = *link;

		if (pin->nest_level < level)
			link = &pin->next;
		else if (event == SUBXACT_EVENT_COMMIT_SUB)
			pin->nest_level = level - 1;
		else
		{
			*link = pin->next;
			pfree(pin->base_url);
			pfree(pin->token);
			if (pin->workspace_id)
				pfree(pin->workspace_id);
			pfree(pin);
		}
	}
}

/* Are two texts equal, or both NULL? */
static bool
same_text(const char *one, const char *other)
{
	return one && other ? strcmp(one, other) == 0 : one == other;
}

/* Do these options name another account than a pin of the same server allows? */
static bool
contradicts(const AccountPin *pin, const DncOptions *options, Oid userid)
{
	if (pin->provider != options->provider || strcmp(pin->base_url, options->base_url) != 0)
		return true;
	if (pin->userid != userid && pin->mapping != options->mapping)
		return false;			/* another role, with its own mapping */
	return pin->mapping != options->mapping || strcmp(pin->token, options->token) != 0 ||
		!same_text(pin->workspace_id, options->workspace_id);
}

/* Remember that this transaction has used an account. */
static void
remember(const DncOptions *options, Oid userid)
{
	static bool registered = false;
	MemoryContext before;
	AccountPin *pin;

	if (!registered)
	{
		RegisterXactCallback(at_transaction_event, NULL);
		RegisterSubXactCallback(at_subtransaction_event, NULL);
		registered = true;
	}
	before = MemoryContextSwitchTo(TopTransactionContext);
	pin = palloc(sizeof(AccountPin));
	pin->serverid = options->serverid;
	pin->userid = userid;
	pin->mapping = options->mapping;
	pin->nest_level = GetCurrentTransactionNestLevel();
	pin->provider = options->provider;
	pin->base_url = pstrdup(options->base_url);
	pin->token = pstrdup(options->token);
	pin->workspace_id = options->workspace_id ? pstrdup(options->workspace_id) : NULL;
	pin->next = pins;
	pins = pin;
	MemoryContextSwitchTo(before);
}

/*
 * A statement is about to use the account of *options, which hold a token, as a user.  Raises
 * 55000 if an earlier statement of this transaction has used another account.
 */
void
dnc_account_pin(const DncOptions *options, Oid userid)
{
	bool		known = false;

	for (const AccountPin *pin = pins; pin; pin = pin->next)
	{
		if (pin->serverid != options->serverid)
			continue;
		if (contradicts(pin, options, userid))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the account of server \"%s\" has changed in this transaction",
							options->server_name),
					 errdetail("Earlier statements of the transaction have used another address, user mapping or token, so they may have seen another list."),
					 errhint("COMMIT or ROLLBACK, and run the statement in a transaction of its own.")));
		known = known || pin->userid == userid;
	}
	if (!known)
		remember(options, userid);
}
