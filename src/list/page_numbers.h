/*-------------------------------------------------------------------------
 *
 * page_numbers.h
 *		Lists whose pages are numbered, and that change while they are read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PAGE_NUMBERS_H
#define DNC_PAGE_NUMBERS_H

#include "list/page.h"
#include "request/request.h"

typedef struct DncPageNumbers DncPageNumbers;

extern DncPageNumbers *dnc_page_numbers_begin(const DncOptions *options, const DncPaging *paging,
											  int page_size);
extern double dnc_page_numbers_expected(const DncOptions *options, double entries);
extern void dnc_page_numbers_resume(DncPageNumbers *reader, const DncPosition *position);
extern DncPageRequest dnc_page_numbers_request(const DncPageNumbers *reader,
											   const DncPageRequest *behind);
extern bool dnc_page_numbers_wants(const DncPageNumbers *reader, const DncPageRequest *asked);
extern DncPageRequest dnc_page_numbers_page(const DncPageNumbers *reader, int64 number);
extern DncPageFit dnc_page_numbers_accept(DncPageNumbers *reader, const DncPageRequest *asked,
										  const DncJson *answer, DncPage *page, bool *at_end);
extern void dnc_page_numbers_note(DncPageNumbers *reader, const DncPageRequest *asked,
								  const DncJson *answer, const DncPage *page);
extern void dnc_page_numbers_position(const DncPageNumbers *reader, DncPosition *position);
extern int64 dnc_page_numbers_total(const DncPageNumbers *reader);
extern int64 dnc_page_numbers_pages(const DncPageNumbers *reader);

#endif							/* DNC_PAGE_NUMBERS_H */
