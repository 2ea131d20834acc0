/*-------------------------------------------------------------------------
 *
 * provider.c
 *		The registry of providers, and questions that can be answered from
 *		their structs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "config/provider.h"
#include "config/providers/providers.h"

static const DncProvider *const providers[] = {
	&dnc_provider_alta,
	&dnc_provider_sendkit,
	&dnc_provider_weya,
};

/* The index-th provider, from 0; NULL behind the last. */
const DncProvider *
dnc_provider_at(int index)
{
	return index < (int) lengthof(providers) ? providers[index] : NULL;
}

/* The provider of that name; NULL if there is none. */
const DncProvider *
dnc_provider_find(const char *name)
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
dnc_provider_names(void)
{
	StringInfoData names;

	initStringInfo(&names);
	for (size_t i = 0; i < lengthof(providers); i++)
		appendStringInfo(&names, "%s\"%s\"", i > 0 ? ", " : "", providers[i]->name);
	return names.data;
}

/* Where a provider's entries carry a column; NULL: it does not have it. */
const DncField *
dnc_provider_field(const DncProvider *provider, DncColumn column)
{
	for (int i = 0; i < provider->nfields; i++)
	{
		if (provider->fields[i].column == column)
			return &provider->fields[i];
	}
	return NULL;
}

/* Does every way in which the provider's lists page tell their size? */
bool
dnc_provider_has_total(const DncProvider *provider)
{
	for (int i = 0; i < DNC_MAX_PAGINGS && provider->list.pagings[i]; i++)
	{
		if (provider->list.pagings[i]->total == NULL)
			return false;
	}
	return true;
}

/* Does the provider document this identifier type? */
bool
dnc_provider_has_type(const DncProvider *provider, const char *identifier_type)
{
	for (const char *const *type = provider->identifier_types; *type; type++)
	{
		if (strcmp(*type, identifier_type) == 0)
			return true;
	}
	return false;
}

/*
 * Is this a type that another provider documents and this one does not?  Then
 * no entry can have it.  A type that nobody documents is another matter: the
 * vendor may have added it since.
 */
bool
dnc_provider_lacks_type(const DncProvider *provider, const char *identifier_type)
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

/* Does a column tell the entries of a list apart? */
bool
dnc_provider_is_identity(const DncProvider *provider, DncColumn column)
{
	for (int i = 0; i < provider->nidentity; i++)
	{
		if (provider->identity[i] == column)
			return true;
	}
	return false;
}
