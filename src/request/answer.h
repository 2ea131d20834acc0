/*-------------------------------------------------------------------------
 *
 * answer.h
 *		The body of a successful answer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ANSWER_H
#define DNC_ANSWER_H

#include "config/option.h"
#include "request/remote_error.h"
#include "wire/http.h"
#include "wire/json.h"

/* The body of an answer.  Set the first three members before use; the others begin as zeros. */
typedef struct DncAnswer
{
	const DncOptions *options;
	const DncHttpAnswer *http;
	MemoryContext context;		/* for the tree */
	bool		looked_at;		/* problem and outline are known */
	const char *problem;		/* a sentence about the text; NULL: none */
	DncJsonOutline outline;
} DncAnswer;

extern const char *dnc_answer_peek(DncAnswer *answer, const char *path);
extern const DncJson *dnc_answer_read(DncAnswer *answer, DncProblem *problem);
extern const DncJson *dnc_answer_tree(DncAnswer *answer);
extern bool dnc_answer_is_success(DncAnswer *answer, DncProblem *problem);
extern bool dnc_answer_is_own_error(DncAnswer *answer);

#endif							/* DNC_ANSWER_H */
