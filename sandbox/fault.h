/*
 * fault.h
 *		Faults on order: what goes wrong, and with which future requests.
 */
#ifndef SB_FAULT_H
#define SB_FAULT_H

#include "http.h"

typedef enum SbFaultKind
{
	SB_FAULT_NONE,
	SB_FAULT_STATUS,
	SB_FAULT_BODY,
	SB_FAULT_NOT_SUCCESS,
	SB_FAULT_HTML,
	SB_FAULT_REDIRECT,
	SB_FAULT_CLOSE,
	SB_FAULT_STALL,
	SB_FAULT_LOST,
	SB_FAULT_CUT,
	SB_FAULT_STALL_BODY,
	SB_FAULT_GARBAGE,
	SB_FAULT_TRUNCATED,
	SB_FAULT_EMPTY,
	SB_FAULT_BIG,
	SB_FAULT_SLOW,
	SB_FAULT_NO_NEXT,
	SB_FAULT_REPEAT_CURSOR,
	SB_FAULT_NO_HAS_MORE,
	SB_FAULT_WRONG_TYPE,
	SB_FAULT_EMPTY_PAGE,
	SB_FAULT_SKIP,
	SB_FAULT_KINDS				/* number of kinds */
} SbFaultKind;

typedef struct SbFault
{
	struct SbFault *next;
	SbFaultKind kind;
	int64_t		at;				/* strikes at the at-th matching request from now */
	int64_t		times;			/* number of times; 0: forever */
	int64_t		chance;			/* chance each time, in 1,000; 0: certain */
	char	   *method;			/* only for this method; NULL: for any */
	char	   *retry_after;	/* value of the header Retry-After; NULL: none */
	char	   *location;		/* of a redirect */
	int64_t		number;			/* status, bytes, or bytes a second */
	SbText		body;			/* the answer's body, if the fault has one */
} SbFault;

/* The requests that a kind of fault counts. */
typedef enum SbFaultScope
{
	SB_FAULT_OF_ANY,
	SB_FAULT_OF_LIST,
	SB_FAULT_OF_ADD
} SbFaultScope;

/* An account's faults, in the order in which they were ordered. */
typedef struct SbFaults
{
	SbFault    *first;
	uint64_t	random;			/* random number generator */
	uint64_t	struck[SB_FAULT_KINDS]; /* how often each kind struck */
} SbFaults;

/* Writes a vendor's error body for a status; NULL message: the vendor's usual message. */
typedef void (*SbErrorWriter) (SbAnswer *answer, int status, const char *message);

extern bool sb_fault_order(SbFaults *faults, const SbFaultKind *except, const SbQuery *query,
						   SbText *body, SbText *problem);
extern SbFault *sb_fault_take(SbFaults *faults, const char *method, SbFaultScope scope);
extern void sb_fault_done(SbFaults *faults, SbFault *fault);
extern bool sb_fault_replace(const SbFault *fault, SbAnswer *answer, SbErrorWriter error);
extern void sb_fault_spoil(const SbFault *fault, SbAnswer *answer);
extern void sb_faults_clear(SbFaults *faults);
extern void sb_faults_print(const SbFaults *faults, SbText *into);

#endif							/* SB_FAULT_H */
