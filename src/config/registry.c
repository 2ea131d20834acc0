/*-------------------------------------------------------------------------
 *
 * registry.c
 *		The registry: the only list of all providers.
 *
 * A new provider is a file in providers/, and two lines here: a declaration, and an element of
 * the array.  Nothing else names a provider, so the declarations need no header.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "config/registry.h"

extern const DncProvider dnc_provider_alta;
extern const DncProvider dnc_provider_sendkit;
extern const DncProvider dnc_provider_weya;

static const DncProvider *const providers[] = {
	&dnc_provider_alta,
	&dnc_provider_sendkit,
	&dnc_provider_weya,
};

/* The provider with this index, from 0; NULL: after the last. */
const DncProvider *
dnc_registry_at(int index)
{
	return index < (int) lengthof(providers) ? providers[index] : NULL;
}

/* The provider with that name; NULL: there is none. */
const DncProvider *
dnc_registry_find(const char *name)
{
	for (size_t i = 0; i < lengthof(providers); i++)
	{
		if (strcmp(providers[i]->name, name) == 0)
			return providers[i];
	}
	return NULL;
}

/* The names of all providers for a message: "a", "b"; palloc'd. */
char *
dnc_registry_names(void)
{
	StringInfoData names;

	initStringInfo(&names);
	for (size_t i = 0; i < lengthof(providers); i++)
		appendStringInfo(&names, "%s\"%s\"", i > 0 ? ", " : "", providers[i]->name);
	return names.data;
}

/*
 * Does another provider document this type, but not this provider?  Then no entry here can have
 * it.  A type that nobody documents is another matter: the vendor may have added it since.
 */
bool
dnc_registry_lacks_type(const DncProvider *provider, const char *identifier_type)
{
	if (dnc_provider_has_type(provider, identifier_type))
		return false;
	for (size_t i = 0; i < lengthof(providers); i++)
	{
		if (dnc_provider_has_type(providers[i], identifier_type))
			return true;
	}
	return false;
}
