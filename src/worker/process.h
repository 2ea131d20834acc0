/*-------------------------------------------------------------------------
 *
 * process.h
 *		The beginning, the waiting and the end of a background process.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_WORKER_PROCESS_H
#define DNC_WORKER_PROCESS_H

#include "worker/slots.h"

/* The settings of the workers. */
extern char *dnc_databases;		/* dnc_fdw.databases */
extern bool dnc_background;		/* dnc_fdw.background */
extern int	dnc_naptime;		/* dnc_fdw.naptime, in ms */

extern bool dnc_process_launch(DncSlot *slot, const char *function, const char *type,
								   const char *name);
extern DncSlot *dnc_process_begin(void);
extern void dnc_process_begin_launcher(void);
extern void dnc_process_fail(int sqlstate, const char *message);
extern void dnc_process_connect(const DncSlot *slot);
extern void dnc_process_report(const char *activity);
extern void dnc_process_begin_transaction(void);
extern void dnc_process_commit(void);
extern void dnc_process_wait(int64 ms);

#endif							/* DNC_WORKER_PROCESS_H */
