/*-------------------------------------------------------------------------
 *
 * http_session.h
 *		The session's hold on libcurl: the requests under way, and the wait for them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_HTTP_SESSION_H
#define DNC_HTTP_SESSION_H

/* A request in libcurl's hands, without libcurl's types: no header of ours includes curl.h. */
typedef struct DncHttpTransfer
{
	void	   *easy;			/* CURL: the handle */
	bool		under_way;
	int			result;			/* CURLcode, once the request is no longer under way */
} DncHttpTransfer;

extern void dnc_http_session_begin(void);
extern bool dnc_http_session_add(DncHttpTransfer *transfer);
extern void dnc_http_session_remove(DncHttpTransfer *transfer);
extern void dnc_http_session_perform(void);
extern void dnc_http_session_poll(double ms, uint32 wait_event);

#endif							/* DNC_HTTP_SESSION_H */
