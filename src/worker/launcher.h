/*-------------------------------------------------------------------------
 *
 * launcher.h
 *		The launcher: starts a scheduler for each database of dnc_fdw.databases.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_WORKER_LAUNCHER_H
#define DNC_WORKER_LAUNCHER_H

extern void dnc_launcher_init(void);

#endif							/* DNC_WORKER_LAUNCHER_H */
