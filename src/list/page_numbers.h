/*-------------------------------------------------------------------------
 *
 * page_numbers.h
 *		Lists whose pages are numbered, and that change while they are read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PAGE_NUMBERS_H
#define DNC_PAGE_NUMBERS_H

#include "config/option.h"
#include "wire/json.h"

typedef struct DncPageNumbers DncPageNumbers;

/* A page that is asked for; limit 0: there is none. */
typedef struct DncPageRequest
{
	int			limit;
	int64		number;			/* from 1 */
} DncPageRequest;

extern DncPageNumbers *dnc_page_numbers_begin(const DncOptions *options);
extern DncPageRequest dnc_page_numbers_request(const DncPageNumbers *numbered, int ahead);
extern int64 dnc_page_numbers_total(const DncPageNumbers *numbered);
extern int64 dnc_page_numbers_pages(const DncPageNumbers *numbered);
extern bool dnc_page_numbers_accept(DncPageNumbers *numbered, DncPageRequest asked,
									const DncPaging *paging, const DncJson *answer,
									const DncJson *entries, const bool **given, bool *at_end);

#endif							/* DNC_PAGE_NUMBERS_H */
