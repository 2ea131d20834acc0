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
	bool		once;			/* must reach the server at most once */
} DncHttpRequest;

/* How a request ended. */
typedef enum DncHttpOutcome
{
	DNC_HTTP_ANSWERED,			/* status and body are there, whole */
	DNC_HTTP_NOT_CONNECTED,		/* no connection: the request surely did not arrive */
	DNC_HTTP_NOT_SECURED,		/* the same; cause: the TLS handshake failed */
	DNC_HTTP_NOT_TRUSTED,		/* the same; cause: a certificate, so another try is no use */
	DNC_HTTP_BROKEN,			/* the request may have arrived; no whole answer came */
	DNC_HTTP_TIMED_OUT,			/* the same; cause: request_timeout */
	DNC_HTTP_CUT_OFF,			/* the answer's body ended early */
	DNC_HTTP_MALFORMED,			/* the answer is not readable HTTP */
	DNC_HTTP_TOO_LARGE			/* the answer is over max_response_size */
} DncHttpOutcome;

typedef struct DncHttpAnswer
{
	DncHttpOutcome outcome;
	const char *problem;		/* libcurl's words, unless DNC_HTTP_ANSWERED */
	int			status;			/* 0: none came */
	const char *content_type;	/* NULL: none came */
	const char *redirect;		/* the URL that a 3xx leads to; NULL: none, or not a URL */
	const char *body;			/* NUL-terminated; the body itself may hold NULs */
	size_t		length;
	bool		resent;			/* libcurl began to send the request, and had to begin again */
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
