/*-------------------------------------------------------------------------
 *
 * catch.h
 *		Catching errors, so that the rest of a command continues.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_CATCH_H
#define DNC_CATCH_H

extern ErrorData *dnc_catch(void (*work) (void *argument), void *argument);

#endif							/* DNC_CATCH_H */
