/*
 * postgres_stub.h
 *		The fuzzing targets' replacement for a backend.
 */
#ifndef POSTGRES_STUB_H
#define POSTGRES_STUB_H

/* Frees the memory of the only memory context. */
extern void stub_reset(void);

#endif							/* POSTGRES_STUB_H */
