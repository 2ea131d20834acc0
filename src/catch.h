/*-------------------------------------------------------------------------
 *
 * catch.h
 *		Errors that are caught, so that the rest of a command goes on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_CATCH_H
#define DNC_CATCH_H

extern ErrorData *dnc_catch(void (*work) (void *argument), void *argument);

#endif							/* DNC_CATCH_H */
