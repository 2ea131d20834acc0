/*-------------------------------------------------------------------------
 *
 * page_cursor.h
 *		Lists in which each page carries the cursor of the next one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PAGE_CURSOR_H
#define DNC_PAGE_CURSOR_H

#include "list/page.h"
#include "request/answer.h"
#include "request/request.h"

typedef struct DncPageCursor DncPageCursor;

extern DncPageCursor *dnc_page_cursor_begin(const DncOptions *options, const DncPaging *paging,
											int page_size);
extern void dnc_page_cursor_resume(DncPageCursor *reader, const DncPosition *position);
extern DncPageRequest dnc_page_cursor_request(const DncPageCursor *reader);
extern DncPageRequest dnc_page_cursor_guess(const DncPageCursor *reader, DncAnswer *answer);
extern DncPageFit dnc_page_cursor_accept(DncPageCursor *reader, const DncJson *answer,
										 DncPage *page, bool *at_end);
extern void dnc_page_cursor_position(const DncPageCursor *reader, DncPosition *position);
extern int64 dnc_page_cursor_total(const DncPageCursor *reader);

#endif							/* DNC_PAGE_CURSOR_H */
