/*-------------------------------------------------------------------------
 *
 * servers.h
 *		The servers that a caller may use.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_SERVERS_H
#define DNC_SERVERS_H

#include "nodes/pg_list.h"

extern void dnc_server_require(Oid serverid, const char *name);
extern List *dnc_servers_of_user(void);

#endif							/* DNC_SERVERS_H */
