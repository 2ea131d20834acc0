/*-------------------------------------------------------------------------
 *
 * columns.h
 *		Are a mirror's tables as they were made?
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_COLUMNS_H
#define DNC_COLUMNS_H

#include "utils/rel.h"

#include "mirror/mirror.h"

/* The staging table has these columns behind the list's: match_key, identity, read_at, turn. */
#define DNC_STAGE_COLUMNS 4

extern void dnc_columns_require_staging(const DncMirror *mirror, Relation staging);
extern void dnc_columns_require_lossless(const DncMirror *mirror);
extern void dnc_columns_require(const DncMirror *mirror);
extern const char *dnc_columns_for_list(Relation list, TupleDesc mirror);

#endif							/* DNC_COLUMNS_H */
