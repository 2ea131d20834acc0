/*-------------------------------------------------------------------------
 *
 * paging.h
 *		The ways in which a provider's lists go on after their first page.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PAGING_H
#define DNC_PAGING_H

#include "config/provider.h"
#include "wire/json.h"

extern const DncPaging *dnc_paging_of_answer(const DncProvider *provider, const DncJson *answer);
extern const DncPaging *dnc_paging_of_marker(const DncProvider *provider, const char *marker);

#endif							/* DNC_PAGING_H */
