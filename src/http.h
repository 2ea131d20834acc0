/*-------------------------------------------------------------------------
 *
 * http.h
 *		Transport: HTTP requests and their answers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_HTTP_H
#define DNC_HTTP_H

#include "nodes/pg_list.h"

typedef struct DncHttpRequest
{
	const char *method;
	const char *url;
	List	   *headers;		/* of char *, "Name: value" */
	const char *body;			/* NULL: none */
	size_t		body_length;
	int			connect_timeout;	/* ms */
	int			timeout;		/* ms, for the whole request */
	size_t		max_response_size;	/* bytes, after decompression */
	const char *ca_file;		/* PEM; NULL: the system's */
	bool		once;			/* must not arrive twice */
} DncHttpRequest;

/* How a request ended. */
typedef enum DncHttpOutcome
{
	DNC_HTTP_ANSWERED,			/* status and body are there, whole */
	DNC_HTTP_NOT_CONNECTED,		/* no connection: the request surely did not arrive */
	DNC_HTTP_NOT_TRUSTED,		/* no connection, because of TLS: trying again is no use */
	DNC_HTTP_BROKEN,			/* it may or may not have arrived; no whole answer did */
	DNC_HTTP_TIMED_OUT,			/* likewise, after request_timeout */
	DNC_HTTP_CUT_OFF,			/* the answer's body ended early */
	DNC_HTTP_TOO_LARGE			/* the answer is over max_response_size */
} DncHttpOutcome;

typedef struct DncHttpAnswer
{
	DncHttpOutcome outcome;
	const char *problem;		/* libcurl's words, unless DNC_HTTP_ANSWERED */
	int			status;			/* 0: none came */
	const char *content_type;	/* NULL: none came */
	double		retry_after;	/* ms to wait as the header Retry-After says; 0: it does not */
	const char *body;			/* NUL-terminated; the body may hold NULs itself */
	size_t		length;
	bool		resent;			/* libcurl began to send it, and then had to begin again */
} DncHttpAnswer;

typedef struct DncHttpExchange DncHttpExchange;

extern DncHttpExchange *dnc_http_start(const DncHttpRequest *request);
extern const DncHttpAnswer *dnc_http_wait(DncHttpExchange *exchange);
extern bool dnc_http_ready(DncHttpExchange *exchange);
extern void dnc_http_wait_any(DncHttpExchange **exchanges, int count);
extern void dnc_http_drop(DncHttpExchange *exchange);
extern void dnc_http_sleep(double ms);

extern char *dnc_http_escape(const char *text);
extern const char *dnc_http_check_base_url(const char *url);

#endif							/* DNC_HTTP_H */
