/*-------------------------------------------------------------------------
 *
 * column.h
 *		The columns that a foreign table may have.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COLUMN_H
#define DNC_COLUMN_H

#include "access/attnum.h"
#include "access/tupdesc.h"

/* The order is that of IMPORT FOREIGN SCHEMA. */
typedef enum DncColumn
{
	DNC_COL_NONE = -1,
	DNC_COL_ID,
	DNC_COL_IDENTIFIER,
	DNC_COL_IDENTIFIER_TYPE,
	DNC_COL_LABEL,
	DNC_COL_REASON,
	DNC_COL_IS_MANUALLY_ADDED,
	DNC_COL_WORKSPACE_ID,
	DNC_COL_ORG_ID,
	DNC_COL_BATCH_ID,
	DNC_COL_REQUEST_UUID,
	DNC_COL_CALL_RECORDING,
	DNC_COL_TRANSCRIPTION,
	DNC_COL_UNSUBSCRIBED_AT,
	DNC_COL_CREATED_AT,
	DNC_COL_UPDATED_AT,
	DNC_COL_ATTRS,
	DNC_COL_SOURCE,
	DNC_COL_SEARCH,
	DNC_COL_MATCH_KEY
} DncColumn;

#define DNC_NCOLUMNS (DNC_COL_MATCH_KEY + 1)

/* A foreign table's columns: map[attnum - 1]; DNC_COL_NONE for dropped and virtual columns. */
typedef struct DncColumnMap
{
	int			natts;
	DncColumn	columns[FLEXIBLE_ARRAY_MEMBER];
} DncColumnMap;

extern const char *dnc_column_name(DncColumn column);
extern DncColumn dnc_column_find(const char *name);
_Noreturn extern void dnc_column_unknown(const char *name, const char *relname);
extern DncColumnMap *dnc_column_map(Oid relid, const char *relname, TupleDesc desc);
extern bool dnc_column_keeps_text(Oid type, int32 typmod);
extern AttrNumber dnc_column_attnum(const DncColumnMap *map, DncColumn column);

#endif							/* DNC_COLUMN_H */
