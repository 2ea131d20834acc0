/*
 * body.c
 *		Bodies of requests: JSON, and objects with known members only.
 *
 * We describe the problem of a body in words, because the author of the client reads them.
 */
#include "body.h"

#include <string.h>
#include <strings.h>

#include "encode.h"

/* The request's body as JSON, for cJSON_Delete(); NULL, with the problem, if it is no JSON. */
cJSON *
sb_body_parse(const SbRequest *req, SbText *problem)
{
	const char *type = sb_request_header(req, "Content-Type");
	cJSON	   *root = NULL;

	if (type == NULL || strncasecmp(type, "application/json", 16) != 0 ||
		strchr("; \t", type[16]) == NULL)
		sb_text_str(problem, "Content-Type must be application/json");
	else if (req->body.len == 0)
		sb_text_str(problem, "The request body is missing");
	else if (!sb_utf8_valid(req->body.data, req->body.len))
		sb_text_str(problem, "The request body is not valid UTF-8");
	else if (sb_json_has_nul(req->body.data))
		sb_text_str(problem, "The request body contains \\u0000");
	else if ((root = cJSON_ParseWithOpts(req->body.data, NULL, true)) == NULL)
		sb_text_str(problem, "The request body is not valid JSON");
	return root;
}

/*
 * Finds an object's members; false, with the problem, if it is no object or has other members.
 * `where` names the object in messages, and `prefix` begins its members' names.
 */
bool
sb_body_pick(const cJSON *object, SbMember *members, int count, const char *where,
			 const char *prefix, SbText *problem)
{
	const cJSON *value;

	if (!cJSON_IsObject(object))
	{
		sb_text_printf(problem, "%s must be an object", where);
		return false;
	}
	cJSON_ArrayForEach(value, object)
	{
		int			i = 0;

		while (i < count && strcmp(members[i].name, value->string) != 0)
			i++;
		if (i < count && members[i].value == NULL)
			members[i].value = value;
		else
		{
			sb_text_printf(problem, "%s%.100s is %s", prefix, value->string,
						   i < count ? "given twice" : "not allowed");
			return false;
		}
	}
	return true;
}

/*
 * Takes a member that must be a string, and not empty if it is required; false, with the
 * problem, if it is not.  The string belongs to the parsed body; NULL if the member is not
 * given.
 */
bool
sb_body_string(const SbMember *member, const char *prefix, bool required, const char **string,
			   SbText *problem)
{
	*string = cJSON_IsString(member->value) ? member->value->valuestring : NULL;
	if (*string == NULL ? !required && member->value == NULL : !required || **string != '\0')
		return true;
	sb_text_printf(problem, "%s%s must be a %sstring", prefix, member->name,
				   required ? "non-empty " : "");
	return false;
}
