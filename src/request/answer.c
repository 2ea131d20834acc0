/*-------------------------------------------------------------------------
 *
 * answer.c
 *		The body of a successful answer: as a tree, and at a glance before.
 *
 * What is no JSON, or says itself that the request failed, is an error here,
 * so that nobody else has to look for that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "request/answer.h"
#include "request/remote_error.h"

/* Look through the text, once. */
static void
look_at(DncAnswer *answer)
{
	if (!answer->looked_at)
		answer->problem = dnc_json_problem(answer->http->body, answer->http->length,
										 &answer->outline);
	answer->looked_at = true;
}

/*
 * Where in the text the value at a path seems to stand, without making a tree;
 * NULL: not found.  See dnc_json_text_find().
 */
const char *
dnc_answer_peek(DncAnswer *answer, const char *path)
{
	look_at(answer);
	return answer->problem ? NULL : dnc_json_text_find(&answer->outline, path);
}

/* Does the answer say that the request has succeeded, if its API says so?  Else why not. */
static bool
says_success(const DncAnswer *answer, const DncJson *tree, DncProblem *problem)
{
	const DncOptions *options = answer->options;
	const char *path = options->provider->success;
	const DncJson *success;
	char	   *text;

	if (path == NULL)
		return true;
	success = dnc_json_get(tree, path);
	if (success && dnc_json_kind(success) == DNC_JSON_BOOLEAN)
	{
		if (dnc_json_boolean(success))
			return true;
		text = dnc_remote_error_api_message(options, tree);
		*problem = dnc_remote_error_breach(options, "The answer's \"%s\" is false. It says: \"%s\".",
										   path, text ? text : "");
	}
	else
		*problem = dnc_remote_error_breach(options, "The answer's \"%s\" is missing or not a boolean.",
										   path);
	return false;
}

/*
 * The body as a tree; NULL: it is not JSON, or says itself that the request failed, and
 * *problem (08P01) says which.  Both live as long as the body's context.
 */
const DncJson *
dnc_answer_read(DncAnswer *answer, DncProblem *problem)
{
	const DncHttpAnswer *http = answer->http;
	MemoryContext before = MemoryContextSwitchTo(answer->context);
	const DncJson *tree = NULL;

	look_at(answer);
	if (answer->problem == NULL)
		tree = dnc_json_tree(http->body, http->length, &answer->problem);
	if (tree == NULL)
		*problem =
			dnc_remote_error_breach(answer->options, "%s HTTP status %d, content type %s, %zu bytes.",
									answer->problem, http->status,
									http->content_type
									? dnc_remote_error_text(answer->options, http->content_type)
									: "unknown",
									http->length);
	else if (!says_success(answer, tree, problem))
		tree = NULL;
	MemoryContextSwitchTo(before);
	return tree;
}

/* The same, but raises the problem. */
const DncJson *
dnc_answer_tree(DncAnswer *answer)
{
	DncProblem	problem;
	const DncJson *tree = dnc_answer_read(answer, &problem);

	if (tree == NULL)
		dnc_remote_error_raise(&problem);
	return tree;
}
