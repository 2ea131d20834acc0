/*-------------------------------------------------------------------------
 *
 * provider.c
 *		Questions about a provider, answered from its struct.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "config/provider.h"

/* The field of a provider's entries with a column; NULL: the entries do not have the column. */
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

/* Does the provider tell the size of its lists, with each of its kinds of paging? */
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

/* How many identifier types the provider documents. */
int
dnc_provider_count_types(const DncProvider *provider)
{
	int			count = 0;

	while (provider->identifier_types[count])
		count++;
	return count;
}

/* The identifier types that the provider documents, as a text for messages; palloc'd. */
char *
dnc_provider_type_names(const DncProvider *provider)
{
	StringInfoData names;

	initStringInfo(&names);
	for (const char *const *type = provider->identifier_types; *type; type++)
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", *type);
	return names.data;
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
 * Can one removal take several entries that differ in this column?  It can if the call sends
 * the first member only, and the column is another member.
 */
bool
dnc_provider_removes_by_part(const DncProvider *provider, DncColumn column)
{
	for (int i = 1; provider->remove.bare && provider->remove.members[i].name; i++)
	{
		if (provider->remove.members[i].column == column)
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

/* Are two identifiers, UTF-8, the same to the provider's API? */
bool
dnc_provider_is_same(const DncProvider *provider, const char *one, const char *other)
{
	if (provider->ignores_plus)
	{
		one += *one == '+';
		other += *other == '+';
	}
	if (!provider->folds_case)
		return strcmp(one, other) == 0;
	while (*one && pg_ascii_tolower((unsigned char) *one) == pg_ascii_tolower((unsigned char) *other))
		one++, other++;
	return *one == '\0' && *other == '\0';
}
