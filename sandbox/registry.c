/*
 * registry.c
 *		All vendors' APIs, by name and by path.
 */
#include "registry.h"

#include <string.h>

#include "alta.h"
#include "sendkit.h"
#include "weya.h"

/* All APIs.  A new API is a line here and a file. */
static const SbApi *const apis[] = {&sb_alta, &sb_sendkit, &sb_weya};

#define APIS (sizeof(apis) / sizeof(apis[0]))

/* The API with that name; NULL if there is none. */
const SbApi *
sb_registry_find(const char *name, size_t len)
{
	for (size_t i = 0; i < APIS; i++)
		if (strlen(apis[i]->name) == len && memcmp(apis[i]->name, name, len) == 0)
			return apis[i];
	return NULL;
}

/* The APIs' path prefixes, for humans. */
const char *
sb_registry_bases(void)
{
	static char list[100];

	list[0] = '\0';
	for (size_t i = 0; i < APIS; i++)
	{
		if (i > 0)
			strncat(list, ", ", sizeof(list) - strlen(list) - 1);
		strncat(list, apis[i]->base, sizeof(list) - strlen(list) - 1);
	}
	return list;
}

/* The API whose prefix a path has, with the rest of the path; NULL if there is none. */
const SbApi *
sb_registry_of_path(const char *path, const char **rest)
{
	for (size_t i = 0; i < APIS; i++)
	{
		size_t		len = strlen(apis[i]->base);

		if (strncmp(path, apis[i]->base, len) == 0 && (path[len] == '/' || path[len] == '\0'))
		{
			*rest = path + len;
			return apis[i];
		}
	}
	return NULL;
}
