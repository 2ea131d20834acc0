/*-------------------------------------------------------------------------
 *
 * credential.h
 *		The token that a role uses with a server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_CREDENTIAL_H
#define DNC_CREDENTIAL_H

#include "config/option.h"

extern const DncOptions *dnc_credential_options(const DncOptions *given, Oid userid);
extern bool dnc_credential_is_same(Oid serverid, Oid userid, Oid other_server, Oid other_user);

#endif							/* DNC_CREDENTIAL_H */
