/*-------------------------------------------------------------------------
 *
 * stage.h
 *		The staging table of a mirror: the entries that a pass has read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_STAGE_H
#define DNC_STAGE_H

#include "list/entries.h"
#include "mirror/pass.h"

typedef struct DncStage DncStage;

extern DncStage *dnc_stage_begin(const DncMirror *mirror);
extern List *dnc_stage_recent_ids(const DncPass *pass);
extern int64 dnc_stage_page(DncStage *stage, DncPass *pass, DncEntries *entries);

#endif							/* DNC_STAGE_H */
