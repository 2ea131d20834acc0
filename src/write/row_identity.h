/*-------------------------------------------------------------------------
 *
 * row_identity.h
 *		Which entry of the list a row of a DELETE stands for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ROW_IDENTITY_H
#define DNC_ROW_IDENTITY_H

#include "nodes/execnodes.h"
#include "storage/itemptr.h"

#include "config/column.h"
#include "wire/json.h"
#include "write/write.h"

typedef struct DncRowIdentity DncRowIdentity;

extern bool dnc_row_identity_is_carried(const DncProvider *provider, const DncColumnMap *map,
										TupleDesc desc);
extern DncRowIdentity *dnc_row_identity_begin(ForeignScanState *node, const DncOptions *options,
											  const DncColumnMap *map);
extern DncRowIdentity *dnc_row_identity_find(EState *estate, Index relation);
extern void dnc_row_identity_see(DncRowIdentity *identity, const DncJson *entry);
extern void dnc_row_identity_remove(DncRowIdentity *identity, const DncWrite *removal);
extern void dnc_row_identity_check(const DncRowIdentity *identity);
extern void dnc_row_identity_add_entry(DncRowIdentity *identity, const DncJson *entry,
									   ItemPointer tid);
extern void dnc_row_identity_add_write(DncRowIdentity *identity, const DncWrite *addition,
									   ItemPointer tid);
extern void dnc_row_identity_number(int64 number, ItemPointer tid);
extern void dnc_row_identity_members(DncRowIdentity *identity, ItemPointer tid,
									 const char **members);
extern void dnc_row_identity_end(DncRowIdentity *identity);

#endif							/* DNC_ROW_IDENTITY_H */
