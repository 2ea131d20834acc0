/*-------------------------------------------------------------------------
 *
 * lane.h
 *		The state of the sending for a server and role: on, backing off, paused.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_QUEUE_LANE_H
#define DNC_QUEUE_LANE_H

#include "request/remote_error.h"
#include "write/send.h"

typedef struct DncLane
{
	Oid			serverid;
	Oid			role;
	const char *version;		/* dnc_lane_version() before the token was read; NULL: that of now */
} DncLane;

extern char *dnc_lane_version(const DncLane *lane);
extern void dnc_lane_wake_all(Oid serverid);
extern void dnc_lane_succeeded(const DncLane *lane);
extern bool dnc_lane_pause(const DncLane *lane, int status, const DncProblem *problem);
extern bool dnc_lane_back_off(const DncLane *lane, const DncSent *sent);
extern char *dnc_lane_sqlstate(int sqlstate);

#endif							/* DNC_QUEUE_LANE_H */
