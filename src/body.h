/*-------------------------------------------------------------------------
 *
 * body.h
 *		The body of a successful answer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_BODY_H
#define DNC_BODY_H

#include "http.h"
#include "json.h"
#include "option.h"

/* A body; its first three members are set before it is used, the others are zero. */
typedef struct DncBody
{
	const DncOptions *options;
	const DncHttpAnswer *answer;
	MemoryContext context;		/* for the tree */
	bool		looked_at;		/* problem and outline are known */
	const char *problem;		/* of the text, as a sentence; NULL: none */
	DncJsonOutline outline;
} DncBody;

extern const char *dnc_body_peek(DncBody *body, const char *path);
extern const DncJson *dnc_body_tree(DncBody *body);

#endif							/* DNC_BODY_H */
