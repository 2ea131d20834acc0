/*-------------------------------------------------------------------------
 *
 * credential.h
 *		The token with which a role speaks to a server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_CREDENTIAL_H
#define DNC_CREDENTIAL_H

#include "config/option.h"

extern void dnc_credential_add(DncOptions *options, Oid userid);

#endif							/* DNC_CREDENTIAL_H */
