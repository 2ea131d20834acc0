/*-------------------------------------------------------------------------
 *
 * target.c
 *		Where writes go: a table of a server, as a user.
 *
 * A target knows nothing of a transaction.  So it can outlive one, when a procedure that commits
 * between its steps sends the writes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "config/credential.h"
#include "write/target.h"

/* Are two texts equal, or both NULL? */
static bool
is_equal(const char *one, const char *other)
{
	return one && other ? strcmp(one, other) == 0 : one == other;
}

/* Do two options, with tokens, speak to one vendor for the same workspace? */
bool
dnc_target_is_same_token(const DncOptions *one, const DncOptions *other)
{
	return one->provider == other->provider && is_equal(one->token, other->token) &&
		is_equal(one->workspace_id, other->workspace_id);
}

/*
 * Are the lists of two options, with tokens, certainly the same?  Within an account two tokens
 * may be keys of one list, or of several.  There we hide nothing, and leave no addition out.
 */
bool
dnc_target_is_same_list(const DncOptions *one, const DncOptions *other)
{
	return is_equal(one->account, other->account) && dnc_target_is_same_token(one, other);
}

/*
 * Make the target for a table and the user whose token is sent, palloc'd in context.  Raises the
 * errors of dnc_credential_options(): we want a token before we take a write.
 */
DncTarget *
dnc_target_make(MemoryContext context, Oid serverid, Oid relid, Oid userid)
{
	MemoryContext before = MemoryContextSwitchTo(context);
	DncTarget  *target = palloc0(sizeof(DncTarget));

	target->relid = relid;
	target->userid = userid;
	target->options = dnc_credential_options(dnc_options_load(serverid, relid), userid);
	MemoryContextSwitchTo(before);
	return target;
}

/* Have two targets the same table, user and options? */
bool
dnc_target_equal(const DncTarget *one, const DncTarget *other)
{
	return one->relid == other->relid && one->userid == other->userid &&
		dnc_options_equal(one->options, other->options);
}
