/*-------------------------------------------------------------------------
 *
 * own.h
 *		Our own writes, which the view adds to a mirror; and the guard of the view.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_OWN_H
#define DNC_OWN_H

#include "datatype/timestamp.h"
#include "fmgr.h"

extern void dnc_own_removed(FunctionCallInfo fcinfo, Oid source);
extern void dnc_own_disbelieve_future(void);
extern void dnc_own_added(FunctionCallInfo fcinfo, Oid source);
extern char *dnc_own_view_name(Oid source);
extern TimestampTz dnc_own_guard(Oid source);
extern bool dnc_own_is_refused(Oid source);

#endif							/* DNC_OWN_H */
