/*-------------------------------------------------------------------------
 *
 * schedule.h
 *		The times of mirrors' refreshes: the table dnc_fdw_mirror_schedules.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_WORKER_SCHEDULE_H
#define DNC_WORKER_SCHEDULE_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "worker/slots.h"

/* A mirror whose refresh is due, now or later. */
typedef struct DncScheduleDue
{
	Oid			source;
	Oid			role;			/* refreshes the mirror; may not exist any more */
	bool		delta;
	TimestampTz	next;
} DncScheduleDue;

/* The arguments of dnc_fdw_mirror_schedule(); an interval that is NULL: never. */
typedef struct DncScheduleRequest
{
	Oid			source;
	const Interval *full_every;
	const Interval *delta_every;
	Oid			run_as;
} DncScheduleRequest;

extern void dnc_schedule_set(const DncScheduleRequest *request);
extern bool dnc_schedule_lock_at_once(void);
extern bool dnc_schedule_lock(Oid source);
extern List *dnc_schedule_due(void);
extern char *dnc_schedule_objection(Oid source, Oid role, int *sqlstate);
extern void dnc_schedule_began(const DncScheduleDue *due);
extern void dnc_schedule_ended(Oid source, bool delta, const DncSlotFailure *failure);

#endif							/* DNC_WORKER_SCHEDULE_H */
