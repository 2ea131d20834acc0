/*-------------------------------------------------------------------------
 *
 * need.h
 *		The purpose of a request.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_NEED_H
#define DNC_NEED_H

/* Most urgent first. */
typedef enum DncNeed
{
	DNC_NEED_ADDITION,
	DNC_NEED_LOOKUP,			/* and other reading */
	DNC_NEED_REMOVAL,
	DNC_NEED_MIRROR
} DncNeed;

#define DNC_NNEEDS (DNC_NEED_MIRROR + 1)

#endif							/* DNC_NEED_H */
