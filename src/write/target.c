/*-------------------------------------------------------------------------
 *
 * target.c
 *		Where writes go: a table of a server, as a user.
 *
 * A target knows nothing of a transaction.  So it can outlive one, where writes are
 * sent by a procedure that commits between its steps.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "config/credential.h"
#include "write/target.h"

/*
 * Make the target for a table and the user whose token is sent, palloc'd in context.
 * Raises what dnc_credential_options() raises: we want a token before we take a write.
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

/* Are two targets the same table, user and options? */
bool
dnc_target_equal(const DncTarget *one, const DncTarget *other)
{
	return one->relid == other->relid && one->userid == other->userid &&
		dnc_options_equal(one->options, other->options);
}
