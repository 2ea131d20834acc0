/*-------------------------------------------------------------------------
 *
 * paging.c
 *		The ways in which a provider's lists go on after their first page.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "list/paging.h"

/* The paging that an answer uses; NULL: none that we know. */
const DncPaging *
dnc_paging_of_answer(const DncProvider *provider, const DncJson *answer)
{
	const DncPaging *const *pagings = provider->list.pagings;

	for (int i = 0; i < DNC_MAX_PAGINGS && pagings[i]; i++)
	{
		if (dnc_json_get(answer, pagings[i]->marker))
			return pagings[i];
	}
	return NULL;
}

/* The paging with this marker; NULL: none. */
const DncPaging *
dnc_paging_of_marker(const DncProvider *provider, const char *marker)
{
	const DncPaging *const *pagings = provider->list.pagings;

	for (int i = 0; i < DNC_MAX_PAGINGS && pagings[i]; i++)
	{
		if (strcmp(pagings[i]->marker, marker) == 0)
			return pagings[i];
	}
	return NULL;
}
