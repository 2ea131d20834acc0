/*
 * postgres_stub.h
 *		What the fuzzing targets have in place of a backend.
 */
#ifndef POSTGRES_STUB_H
#define POSTGRES_STUB_H

/* Ends the one memory context there is. */
extern void stub_reset(void);

#endif							/* POSTGRES_STUB_H */
