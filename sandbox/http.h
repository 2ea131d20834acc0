/*
 * http.h
 *		A request, its answer, and a query string, as all modules use them.
 *
 * Only server.c, deliver.c and one function of http.c use libmicrohttpd.
 */
#ifndef SB_HTTP_H
#define SB_HTTP_H

#include "text.h"

#define SB_MAX_HEADERS 8
#define SB_MAX_PARAMS 64
#define SB_MAX_BODY ((size_t) 256 << 20)

/* The way in which an answer goes over the wire. */
typedef enum SbDelivery
{
	SB_DELIVER,					/* normally */
	SB_DELIVER_CLOSE,			/* not at all: the connection is closed */
	SB_DELIVER_STALL,			/* not at all, until the client goes away */
	SB_DELIVER_CUT,				/* half the body, then the connection is closed */
	SB_DELIVER_STALL_BODY,		/* half the body, then nothing until the client goes away */
	SB_DELIVER_SLOW				/* at bytes_per_second */
} SbDelivery;

typedef struct SbHeader
{
	const char *name;			/* a literal */
	char	   *value;
} SbHeader;

typedef struct SbAnswer
{
	int			status;
	const char *content_type;	/* a literal; NULL: no such header */
	SbText		body;
	SbHeader	header[SB_MAX_HEADERS];
	int			headers;
	SbDelivery	delivery;
	uint64_t	padding;		/* number of blanks after the body */
	uint64_t	bytes_per_second;	/* for SB_DELIVER_SLOW */
	int64_t		delay_us;		/* before the first byte */
} SbAnswer;

/* A TCP connection. */
typedef struct SbPeer
{
	bool		loopback;
	uint64_t   *seen;			/* accounts (their serial) that have counted this connection */
	size_t		seens;
} SbPeer;

typedef struct SbRequest
{
	char		method[16];
	char	   *target;			/* path and query, as on the wire */
	char	   *path;			/* path as on the wire, without the query */
	const char *query;			/* query as on the wire; "" if there is none */
	SbText		body;
	bool		body_too_big;	/* the body was too large to keep */
	SbPeer	   *peer;
	SbAnswer	answer;

	/* For serve.c: the account, and the request's line in the log. */
	struct SbAccount *account;	/* NULL: not an API request with a good token */
	uint64_t	log_line;

	/* For server.c, deliver.c and timer.c: the state of the request. */
	struct MHD_Connection *connection;
	struct SbRequest *previous_live;
	struct SbRequest *next_live;
	bool		begun;			/* the headers have come */
	bool		thought;		/* the wait before the work is over */
	bool		served;			/* there is an answer */
	bool		suspended;
	bool		gone;			/* the client no longer waits for the rest */
	bool		watched;		/* we watch for the client's departure */
	int64_t		started_us;		/* when we began to send the body */
	int64_t		due_us;
	size_t		timer_slot;		/* place in the timer heap, from 1; 0: none */
} SbRequest;

typedef struct SbParam
{
	char	   *name;			/* decoded, UTF-8, NUL-terminated */
	char	   *value;
	size_t		value_len;
} SbParam;

typedef struct SbQuery
{
	SbParam		param[SB_MAX_PARAMS];
	int			params;
} SbQuery;

extern const char *sb_status_text(int status);
extern const char *sb_request_header(const SbRequest *req, const char *name);

extern void sb_answer_set(SbAnswer *answer, int status, const char *content_type);
extern void sb_answer_text(SbAnswer *answer, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
extern void sb_answer_header(SbAnswer *answer, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
extern void sb_answer_clear(SbAnswer *answer);

extern bool sb_query_parse(SbQuery *query, const char *string, SbText *problem);
extern const SbParam *sb_query_get(const SbQuery *query, const char *name);
extern void sb_query_free(SbQuery *query);
extern bool sb_parse_integer(const char *string, int64_t min, int64_t max, int64_t *value);

#endif							/* SB_HTTP_H */
