/*-------------------------------------------------------------------------
 *
 * registry.c
 *		The registry: finds providers by name, and goes through all of them.
 *
 * The registry makes its array of the list in providers/providers.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "config/providers/providers.h"
#include "config/registry.h"

#define ADDRESS_OF_PROVIDER(name) &dnc_provider_##name,

static const DncProvider *const providers[] = {DNC_PROVIDERS(ADDRESS_OF_PROVIDER)};

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
