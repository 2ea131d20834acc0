/*-------------------------------------------------------------------------
 *
 * numbered.h
 *		Lists whose pages are numbered, and that change while they are read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_NUMBERED_H
#define DNC_NUMBERED_H

#include "json.h"
#include "option.h"

typedef struct DncNumbered DncNumbered;

/* A page that is asked for; limit 0: there is none. */
typedef struct DncPageRequest
{
	int			limit;
	int64		number;			/* from 1 */
} DncPageRequest;

extern DncNumbered *dnc_numbered_begin(const DncOptions *options);
extern DncPageRequest dnc_numbered_request(const DncNumbered *numbered, int ahead);
extern int64 dnc_numbered_total(const DncNumbered *numbered);
extern int64 dnc_numbered_pages(const DncNumbered *numbered);
extern bool dnc_numbered_accept(DncNumbered *numbered, DncPageRequest asked,
								const DncPaging *paging, const DncJson *answer,
								const DncJson *entries, const bool **given, bool *at_end);

#endif							/* DNC_NUMBERED_H */
