/*-------------------------------------------------------------------------
 *
 * target.h
 *		Where writes go: a table of a server, as a user.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_TARGET_H
#define DNC_TARGET_H

#include "config/option.h"

typedef struct DncTarget
{
	Oid			relid;
	Oid			userid;
	const DncOptions *options;	/* with the token */
} DncTarget;

extern bool dnc_target_is_same_token(const DncOptions *one, const DncOptions *other);
extern bool dnc_target_is_same_list(const DncOptions *one, const DncOptions *other);
extern DncTarget *dnc_target_make(MemoryContext context, Oid serverid, Oid relid, Oid userid);
extern bool dnc_target_equal(const DncTarget *one, const DncTarget *other);

#endif							/* DNC_TARGET_H */
