/*-------------------------------------------------------------------------
 *
 * wrapper.h
 *		The foreign-data wrappers and tables that are ours.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_WRAPPER_H
#define DNC_WRAPPER_H

extern bool dnc_wrapper_is_ours(Oid fdwid);
extern bool dnc_wrapper_has_table(Oid relid);

#endif							/* DNC_WRAPPER_H */
