/*-------------------------------------------------------------------------
 *
 * create.h
 *		Makes and drops mirrors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_CREATE_H
#define DNC_CREATE_H

#include "utils/timestamp.h"

/* The terms of a mirror, as dnc_fdw_mirror_create() takes them. */
typedef struct DncMirrorTerms
{
	Interval   *max_age;
	int			gone_after;
	double		max_loss;
} DncMirrorTerms;

extern void dnc_mirror_create(Oid source, const DncMirrorTerms *terms);
extern void dnc_mirror_alter(Oid source, const Interval *max_age, const int32 *gone_after,
							 const float8 *max_loss);
extern void dnc_mirror_drop(Oid source);

#endif							/* DNC_CREATE_H */
