/*-------------------------------------------------------------------------
 *
 * explain.h
 *		EXPLAIN of scans and writes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_EXPLAIN_H
#define DNC_EXPLAIN_H

#include "compat.h"
#include "scan/scan.h"
#include "write/modify.h"

extern void dnc_explain_scan(ForeignScanState *node, ExplainState *es);
extern void dnc_explain_modify(Relation relation, DncAction action, bool direct,
							   ExplainState *es);

#endif							/* DNC_EXPLAIN_H */
