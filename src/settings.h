/*-------------------------------------------------------------------------
 *
 * settings.h
 *		The settings dnc_fdw.*.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_SETTINGS_H
#define DNC_SETTINGS_H

extern void dnc_settings_define(void);

#endif							/* DNC_SETTINGS_H */
