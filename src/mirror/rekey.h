/*-------------------------------------------------------------------------
 *
 * rekey.h
 *		Keys of a mirror, made anew when the rules for keys have changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_REKEY_H
#define DNC_REKEY_H

#include "mirror/mirror.h"

extern bool dnc_rekey_is_due(const DncMirror *mirror);
extern void dnc_rekey(const DncMirror *mirror);

#endif							/* DNC_REKEY_H */
