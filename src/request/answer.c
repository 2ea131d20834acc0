/*-------------------------------------------------------------------------
 *
 * answer.c
 *		The body of a successful answer: as a tree, and at a glance before that.
 *
 * A body that is no JSON, or that says itself that the request failed, is an error here.
 * So no other file has to check for that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "request/answer.h"
#include "request/remote_error.h"

/* Check the text, once. */
static void
look_at(DncAnswer *answer)
{
	if (!answer->looked_at)
		answer->problem = dnc_json_problem(answer->http->body, answer->http->length,
										 &answer->outline);
	answer->looked_at = true;
}

/*
 * The place in the text where the value at a path seems to be, found without a tree; NULL: not
 * found.  See dnc_json_text_find().
 */
const char *
dnc_answer_peek(DncAnswer *answer, const char *path)
{
	look_at(answer);
	return answer->problem ? NULL : dnc_json_text_find(&answer->outline, path);
}

/* Does the answer say that the request succeeded, if its API says so?  If not, *problem is set. */
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
 * The body as a tree.  NULL: the body is not JSON, or says itself that the request failed;
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

/* The body as a tree, like dnc_answer_read(); raises the problem as an error. */
const DncJson *
dnc_answer_tree(DncAnswer *answer)
{
	DncProblem	problem;
	const DncJson *tree = dnc_answer_read(answer, &problem);

	if (tree == NULL)
		dnc_remote_error_raise(&problem);
	return tree;
}

/* Is the body a web page, such as gateways and proxies send? */
static bool
is_web_page(const DncHttpAnswer *http)
{
	const char *type = http->content_type;
	size_t		begin = strspn(http->body, " \t\r\n");

	return (type && pg_strncasecmp(type, "text/html", strlen("text/html")) == 0) ||
		http->body[begin] == '<';
}

/* Does a tree say that the request failed, with words of the API or with a flag? */
static bool
says_failure(const DncJson *tree)
{
	const DncJson *success = dnc_json_get(tree, "success");
	const DncJson *error = dnc_json_get(tree, "error");

	return (success && !(dnc_json_kind(success) == DNC_JSON_BOOLEAN && dnc_json_boolean(success))) ||
		(error && dnc_json_kind(error) != DNC_JSON_NULL);
}

/*
 * Has a write succeeded, for an API whose answers have no envelope?  It has if the status is
 * 200 and the body is empty, or is no web page and does not say that the write failed.  Broken
 * JSON is no success either.  Otherwise *problem (08P01) says why.
 */
bool
dnc_answer_is_success(DncAnswer *answer, DncProblem *problem)
{
	const DncHttpAnswer *http = answer->http;
	MemoryContext before = MemoryContextSwitchTo(answer->context);
	const DncJson *tree = NULL;
	const char *what = NULL;
	char	   *words = NULL;

	if (http->status != 200)
		what = "The answer does not say that the write was made.";
	else if (http->body[strspn(http->body, " \t\r\n")] == '\0')
		what = NULL;
	else if (is_web_page(http))
		what = "The answer is a web page.";
	else
	{
		look_at(answer);
		if (answer->problem == NULL)
			tree = dnc_json_tree(http->body, http->length, &answer->problem);
		if (tree && says_failure(tree))
		{
			what = "The answer says that the write has failed.";
			words = dnc_remote_error_api_message(answer->options, tree);
		}
		else if (tree == NULL && strchr("{[", http->body[strspn(http->body, " \t\r\n")]))
			what = answer->problem;
	}
	if (what)
		*problem = dnc_remote_error_breach(answer->options, "%s HTTP status %d, %zu bytes.%s%s%s",
										   what, http->status, http->length,
										   words ? " It says: \"" : "", words ? words : "",
										   words ? "\"." : "");
	MemoryContextSwitchTo(before);
	return what == NULL;
}

/* Does an answer with an error status have the form of the API's own errors? */
bool
dnc_answer_is_own_error(DncAnswer *answer)
{
	const DncHttpAnswer *http = answer->http;
	const DncProvider *provider = answer->options->provider;
	MemoryContext before = MemoryContextSwitchTo(answer->context);
	const DncJson *tree = NULL;
	const DncJson *value;
	bool		own;

	look_at(answer);
	if (answer->problem == NULL)
		tree = dnc_json_tree(http->body, http->length, &answer->problem);
	own = tree != NULL;
	if (own && provider->success)
	{
		value = dnc_json_get(tree, provider->success);
		own = value && dnc_json_kind(value) == DNC_JSON_BOOLEAN && !dnc_json_boolean(value);
	}
	for (size_t i = 0; own && i < lengthof(provider->error_marks) && provider->error_marks[i]; i++)
	{
		value = dnc_json_get(tree, provider->error_marks[i]);
		own = value && dnc_json_kind(value) == DNC_JSON_STRING;
	}
	MemoryContextSwitchTo(before);
	return own;
}
