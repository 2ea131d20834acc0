/*-------------------------------------------------------------------------
 *
 * import.h
 *		IMPORT FOREIGN SCHEMA.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_IMPORT_H
#define DNC_IMPORT_H

#include "nodes/parsenodes.h"

extern List *dnc_import_schema(ImportForeignSchemaStmt *statement, Oid serverid);

#endif							/* DNC_IMPORT_H */
