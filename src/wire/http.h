/*-------------------------------------------------------------------------
 *
 * http.h
 *		Transport: one HTTP request and its answer.
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
	DNC_HTTP_NOT_SECURED,		/* likewise, because the TLS handshake broke */
	DNC_HTTP_NOT_TRUSTED,		/* likewise, because of a certificate: trying again is no use */
	DNC_HTTP_BROKEN,			/* it may or may not have arrived; no whole answer did */
	DNC_HTTP_TIMED_OUT,			/* likewise, after request_timeout */
	DNC_HTTP_CUT_OFF,			/* the answer's body ended early */
	DNC_HTTP_MALFORMED,			/* what came is not HTTP that can be read */
	DNC_HTTP_TOO_LARGE			/* the answer is over max_response_size */
} DncHttpOutcome;

typedef struct DncHttpAnswer
{
	DncHttpOutcome outcome;
	const char *problem;		/* libcurl's words, unless DNC_HTTP_ANSWERED */
	int			status;			/* 0: none came */
	const char *content_type;	/* NULL: none came */
	const char *redirect;		/* the URL that a 3xx leads to; NULL: none, or no URL */
	const char *body;			/* NUL-terminated; the body may hold NULs itself */
	size_t		length;
	bool		resent;			/* libcurl began to send it, and then had to begin again */
} DncHttpAnswer;

typedef struct DncHttpExchange DncHttpExchange;

extern DncHttpExchange *dnc_http_start(const DncHttpRequest *request);
extern bool dnc_http_ended(const DncHttpExchange *exchange);
extern const DncHttpAnswer *dnc_http_answer(DncHttpExchange *exchange);
extern const char *dnc_http_header(const DncHttpExchange *exchange, const char *name);
extern void dnc_http_drop(DncHttpExchange *exchange);
extern int64 dnc_http_date(const char *text);
extern const char *dnc_http_version(void);

#endif							/* DNC_HTTP_H */
