/*
 * api.c
 *		The contract of one vendor's API, and the common parts of all APIs.
 */
#include "api.h"

#include <string.h>

/* Entry n of a filled account was made n minutes after 2025-01-01T00:00:00Z. */
#define FILL_EPOCH_MS (INT64_C(1735689600) * 1000)
#define MINUTE_MS 60000

/* The index of a type's name, -1 if there is no such type. */
int
sb_api_type(const char *const *types, const char *type)
{
	for (int i = 0; types[i] != NULL; i++)
		if (strcmp(types[i], type) == 0)
			return i;
	return -1;
}

/* Appends the names of all types, for messages. */
void
sb_api_type_list(const char *const *types, SbText *into)
{
	for (int i = 0; types[i] != NULL; i++)
		sb_text_printf(into, "%s%s", i > 0 ? ", " : "", types[i]);
}

/* Answers a request that fits nothing; methods: those of the path, NULL for an unknown path. */
void
sb_api_no_resource(SbCall *call, const char *methods)
{
	SbAnswer   *answer = &call->req->answer;

	call->api->error(answer, methods == NULL ? 404 : 405, NULL);
	if (methods != NULL)
		sb_answer_header(answer, "Allow", "%s", methods);
}

/* The creation time of the entry for a number: milliseconds since 1970. */
int64_t
sb_api_fill_ms(uint64_t number)
{
	return FILL_EPOCH_MS + (int64_t) number * MINUTE_MS;
}
