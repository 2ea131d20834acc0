/*-------------------------------------------------------------------------
 *
 * removal_scope.h
 *		Whether the removals of a statement take only the entries that it means.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_REMOVAL_SCOPE_H
#define DNC_REMOVAL_SCOPE_H

#include "wire/json.h"
#include "write/write.h"

typedef struct DncRemovalScope DncRemovalScope;

extern DncRemovalScope *dnc_removal_scope_make(const DncOptions *options);
extern void dnc_removal_scope_see(DncRemovalScope *scope, const DncJson *entry);
extern void dnc_removal_scope_remove(DncRemovalScope *scope, const DncWrite *removal);
extern void dnc_removal_scope_check(const DncRemovalScope *scope);

#endif							/* DNC_REMOVAL_SCOPE_H */
