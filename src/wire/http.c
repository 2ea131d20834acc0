/*-------------------------------------------------------------------------
 *
 * http.c
 *		Transport: one HTTP request and its answer, through libcurl.
 *
 * Each exchange starts and ends on its own; http_session.c lets libcurl work on all
 * exchanges that are under way.  Only these two files and url.c include curl.h.  They
 * know nothing of providers, SQL or retries.
 *
 * Each exchange has its own memory context, a child of the context that was current at
 * its start.  The curl handles hang on that context, so the end of a scan, an error and
 * an abort take one path and leak nothing.  Our callbacks run inside libcurl: they never
 * ereport, and they allocate without throwing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <sys/socket.h>

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "wire/http.h"
#include "wire/http_session.h"

/* CURLOPT_QUICK_EXIT came with 7.87.0: libcurl does not wait for a resolver thread. */
StaticAssertDecl(LIBCURL_VERSION_NUM >= 0x075700, "dnc_fdw needs libcurl 7.87.0 or newer");

#define FIRST_BODY_SIZE (32 * 1024)

/*
 * Limit for an answer's headers and trailers together, with those of 1xx answers.  libcurl
 * keeps them all, and limits only some of them.
 */
#define MAX_HEADER_SIZE (256 * 1024)

struct DncHttpExchange
{
	MemoryContext context;
	DncHttpTransfer transfer;
	struct curl_slist *headers;
	bool		plain;			/* http, which may only go to this machine */
	int			sends;			/* how often libcurl has begun to send the request */
	bool		too_large;
	bool		out_of_memory;
	bool		bad_status_line;
	size_t		header_size;	/* bytes so far */
	size_t		max_size;
	char	   *body;
	size_t		length;
	size_t		capacity;
	char		error[CURL_ERROR_SIZE];
	DncHttpAnswer answer;
	MemoryContextCallback cleanup;
};

/* Free an exchange's handles and headers in libcurl.  Runs when its context is deleted. */
static void
release_exchange(void *arg)
{
	DncHttpExchange *exchange = arg;

	dnc_http_session_remove(&exchange->transfer);
	if (exchange->transfer.easy)
		curl_easy_cleanup(exchange->transfer.easy);
	curl_slist_free_all(exchange->headers);
}

/* Make room in the body for more bytes and a NUL; false: out of memory. */
static bool
reserve_body(DncHttpExchange *exchange, size_t more)
{
	size_t		needed = exchange->length + more + 1;
	size_t		capacity = Max(exchange->capacity, FIRST_BODY_SIZE);
	char	   *body;

	if (needed <= exchange->capacity)
		return true;
	while (capacity < needed)
		capacity *= 2;
	capacity = Max(Min(capacity, exchange->max_size + 1), needed);
	body = MemoryContextAllocExtended(exchange->context, capacity,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (body == NULL)
		return false;
	if (exchange->body)
	{
		memcpy(body, exchange->body, exchange->length);
		pfree(exchange->body);
	}
	exchange->body = body;
	exchange->capacity = capacity;
	return true;
}

/* CURLOPT_WRITEFUNCTION: keep a piece of the body, up to max_size. */
static size_t
receive_body(char *bytes, size_t size, size_t count, void *arg)
{
	DncHttpExchange *exchange = arg;
	size_t		more = size * count;

	if (exchange->length + more > exchange->max_size)
	{
		exchange->too_large = true;
		return 0;
	}
	if (!reserve_body(exchange, more))
	{
		exchange->out_of_memory = true;
		return 0;
	}
	memcpy(exchange->body + exchange->length, bytes, more);
	exchange->length += more;
	return more;
}

/*
 * Is a header line that begins with "HTTP/" a status line (RFC 9112 4)?  libcurl accepts some
 * lines that are not, and newer versions accept more: they read HTTP/3.0 as HTTP/1.1, and take
 * the first three digits of a status that has four.
 */
static bool
is_status_line(const char *bytes, size_t length)
{
	const char *const versions[] = {"HTTP/1.1 ", "HTTP/1.0 ", "HTTP/2 ", "HTTP/3 "};
	char		line[16] = "";	/* version, status and a little more */

	memcpy(line, bytes, Min(length, sizeof(line) - 1));
	for (size_t i = 0; i < lengthof(versions); i++)
	{
		const char *status = line + strlen(versions[i]);

		if (strncmp(line, versions[i], strlen(versions[i])) == 0)
			return strspn(status, "0123456789") == 3 && strchr(" \r\n", status[3]) != NULL;
	}
	return false;
}

/* CURLOPT_HEADERFUNCTION: count the bytes of header lines, up to a cap, and check status lines. */
static size_t
receive_header(char *bytes, size_t size, size_t count, void *arg)
{
	DncHttpExchange *exchange = arg;
	size_t		length = size * count;

	exchange->header_size += length;
	if (length >= 5 && strncmp(bytes, "HTTP/", 5) == 0 && !is_status_line(bytes, length))
		exchange->bad_status_line = true;
	return exchange->bad_status_line || exchange->header_size > MAX_HEADER_SIZE ? 0 : length;
}

/*
 * CURLOPT_OPENSOCKETFUNCTION: refuse http to any address that is not a loopback address, even
 * if a resolver gives another address for the name "localhost".
 */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	DncHttpExchange *exchange = arg;
	bool		loopback = false;

	if (address->family == AF_INET)
		loopback = (ntohl(((struct sockaddr_in *) &address->addr)->sin_addr.s_addr) >> 24) == 127;
	else if (address->family == AF_INET6)
		loopback = IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *) &address->addr)->sin6_addr);
	if (exchange->plain && !loopback)
		return CURL_SOCKET_BAD;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/*
 * CURLOPT_PREREQFUNCTION: there is a connection, and the request goes out.  libcurl calls this
 * once more if a kept connection is dead and libcurl sends the request again.
 */
static int
count_send(void *arg, char *remote, char *local, int remote_port, int local_port)
{
	DncHttpExchange *exchange = arg;

	exchange->sends++;
	return CURL_PREREQFUNC_OK;
}

/* Set one option of a handle, and note whether libcurl took it. */
#define SET(option, value) \
	(good = (curl_easy_setopt(easy, option, value) == CURLE_OK) && good)

/* Options that say how a request is sent; false: libcurl refused one. */
static bool
set_transport_options(DncHttpExchange *exchange, const DncHttpRequest *request)
{
	CURL	   *easy = exchange->transfer.easy;
	bool		good = true;

	SET(CURLOPT_ERRORBUFFER, exchange->error);
	SET(CURLOPT_WRITEFUNCTION, receive_body);
	SET(CURLOPT_WRITEDATA, exchange);
	SET(CURLOPT_HEADERFUNCTION, receive_header);
	SET(CURLOPT_HEADERDATA, exchange);
	SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(CURLOPT_OPENSOCKETDATA, exchange);
	SET(CURLOPT_PREREQFUNCTION, count_send);
	SET(CURLOPT_PREREQDATA, exchange);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_PROTOCOLS_STR, exchange->plain ? "http" : "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);

	/*
	 * If a kept connection is dead, libcurl sends the request again by itself.  Nobody knows then
	 * whether the first request arrived.
	 */
	SET(CURLOPT_FRESH_CONNECT, request->once ? 1L : 0L);
	/* Traffic that stays on this machine needs no proxy, and must not pass through a proxy. */
	if (exchange->plain)
		SET(CURLOPT_NOPROXY, "*");
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (request->ca_file)
	{
		SET(CURLOPT_CAINFO, request->ca_file);
		SET(CURLOPT_CAPATH, NULL);	/* replace the system's CAs instead of adding to them */
	}
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long) request->connect_timeout);
	SET(CURLOPT_TIMEOUT_MS, (long) request->timeout);
	return good;
}

/* Options that say what is in the request; false: libcurl refused one. */
static bool
set_message_options(DncHttpExchange *exchange, const DncHttpRequest *request)
{
	CURL	   *easy = exchange->transfer.easy;
	bool		good = true;
	ListCell   *lc;

	foreach(lc, request->headers)
	{
		struct curl_slist *longer = curl_slist_append(exchange->headers, lfirst(lc));

		if (longer == NULL)
			return false;
		exchange->headers = longer;
	}
	SET(CURLOPT_HTTPHEADER, exchange->headers);
	SET(CURLOPT_URL, request->url);
	SET(CURLOPT_ACCEPT_ENCODING, "");	/* all that libcurl can read; the server chooses */
	/* Concurrent requests share a connection if the server has HTTP/2. */
	SET(CURLOPT_PIPEWAIT, exchange->plain ? 0L : 1L);
	if (request->body)
	{
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->body_length);
		SET(CURLOPT_COPYPOSTFIELDS, request->body);
	}
	else
		SET(CURLOPT_HTTPGET, 1L);
	SET(CURLOPT_CUSTOMREQUEST, request->method);
	return good;
}

/*
 * Start a request.  The exchange belongs to the current memory context; it ends with the
 * context or with dnc_http_drop().  The request's strings need not outlive the call.
 */
DncHttpExchange *
dnc_http_start(const DncHttpRequest *request)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dnc_fdw exchange",
												  ALLOCSET_SMALL_SIZES);
	DncHttpExchange *exchange = MemoryContextAllocZero(context, sizeof(DncHttpExchange));

	dnc_http_session_begin();
	exchange->context = context;
	exchange->max_size = request->max_response_size;
	exchange->plain = pg_strncasecmp(request->url, "http:", 5) == 0;
	exchange->cleanup.func = release_exchange;
	exchange->cleanup.arg = exchange;
	MemoryContextRegisterResetCallback(context, &exchange->cleanup);

	exchange->transfer.easy = curl_easy_init();
	if (exchange->transfer.easy == NULL ||
		!set_transport_options(exchange, request) ||
		!set_message_options(exchange, request) ||
		!dnc_http_session_add(&exchange->transfer))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("libcurl could not prepare a request"),
				 errdetail("%s", exchange->error)));
	dnc_http_session_perform();
	return exchange;
}

/*
 * Are an answer's headers larger than we keep?  For a single line that is too long, libcurl
 * reports CURLE_OUT_OF_MEMORY, or CURLE_TOO_LARGE since 8.6.0.
 */
static bool
headers_too_large(const DncHttpExchange *exchange)
{
	const int	curle_too_large = 100;
	curl_off_t	sent = 0;

	if (exchange->header_size > MAX_HEADER_SIZE)
		return true;
	curl_easy_getinfo(exchange->transfer.easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
	return sent > 0 &&
		(exchange->transfer.result == CURLE_OUT_OF_MEMORY ||
		 exchange->transfer.result == curle_too_large);
}

/* Translate libcurl's result into the outcome for our caller. */
static DncHttpOutcome
outcome_of(const DncHttpExchange *exchange)
{
	curl_off_t	connected = 0;
	long		status = 0;

	curl_easy_getinfo(exchange->transfer.easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
	curl_easy_getinfo(exchange->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
	switch ((CURLcode) exchange->transfer.result)
	{
		case CURLE_OK:
			return DNC_HTTP_ANSWERED;
		case CURLE_COULDNT_RESOLVE_PROXY:
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_CONNECT:
			return DNC_HTTP_NOT_CONNECTED;
		case CURLE_SSL_CONNECT_ERROR:
			return DNC_HTTP_NOT_SECURED;
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_ISSUER_ERROR:
			return DNC_HTTP_NOT_TRUSTED;
		case CURLE_OPERATION_TIMEDOUT:
			return connected > 0 ? DNC_HTTP_TIMED_OUT : DNC_HTTP_NOT_CONNECTED;
		case CURLE_PARTIAL_FILE:
			return DNC_HTTP_CUT_OFF;
		case CURLE_RECV_ERROR:
		case CURLE_HTTP2:
		case CURLE_HTTP2_STREAM:
			return status > 0 ? DNC_HTTP_CUT_OFF : DNC_HTTP_BROKEN;
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_BAD_CONTENT_ENCODING:
			return DNC_HTTP_MALFORMED;
		case CURLE_UNSUPPORTED_PROTOCOL:	/* the first line is not HTTP's */
			return connected > 0 ? DNC_HTTP_MALFORMED : DNC_HTTP_BROKEN;
		default:
			if (exchange->too_large)
				return DNC_HTTP_TOO_LARGE;
			return exchange->bad_status_line || headers_too_large(exchange)
				? DNC_HTTP_MALFORMED : DNC_HTTP_BROKEN;
	}
}

/* Describe the problem: in libcurl's words, except where they would mislead. */
static const char *
problem_of(const DncHttpExchange *exchange)
{
	if (exchange->bad_status_line)
		return "its status line is malformed";
	if (headers_too_large(exchange))
		return "its headers are too large";
	return exchange->error[0] ? exchange->error :
		curl_easy_strerror((CURLcode) exchange->transfer.result);
}

/* Has a request ended, well or badly?  Only calls of http_session.c make progress. */
bool
dnc_http_ended(const DncHttpExchange *exchange)
{
	return !exchange->transfer.under_way;
}

/* The answer to a request that has ended.  The answer belongs to the exchange. */
const DncHttpAnswer *
dnc_http_answer(DncHttpExchange *exchange)
{
	DncHttpAnswer *answer = &exchange->answer;
	long		status = 0;
	char	   *content_type = NULL;
	char	   *redirect = NULL;

	Assert(dnc_http_ended(exchange));
	if (exchange->out_of_memory || !reserve_body(exchange, 0))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("An answer of %zu bytes could not be kept.", exchange->length)));
	exchange->body[exchange->length] = '\0';

	curl_easy_getinfo(exchange->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(exchange->transfer.easy, CURLINFO_CONTENT_TYPE, &content_type);
	curl_easy_getinfo(exchange->transfer.easy, CURLINFO_REDIRECT_URL, &redirect);
	answer->outcome = outcome_of(exchange);
	answer->problem = problem_of(exchange);
	answer->status = (int) status;
	answer->content_type = content_type;
	answer->redirect = redirect;
	answer->body = exchange->body;
	answer->length = exchange->length;
	answer->resent = exchange->sends > 1 ||
		(exchange->sends == 1 && answer->outcome == DNC_HTTP_NOT_CONNECTED);
	return answer;
}

/*
 * The value of a header in the answer to a request that has ended; NULL: there is no such
 * header.  If the header comes several times, the first value counts.  The value belongs to
 * libcurl and is valid until the next call of this function.
 */
const char *
dnc_http_header(const DncHttpExchange *exchange, const char *name)
{
	struct curl_header *header;

	if (curl_easy_header(exchange->transfer.easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return header->value;
}

/* End a request, finished or not, and free its memory. */
void
dnc_http_drop(DncHttpExchange *exchange)
{
	MemoryContextDelete(exchange->context);
}

/* Read an HTTP date (RFC 9110 5.6.7), as seconds since 1970; -1: the text is no date. */
int64
dnc_http_date(const char *text)
{
	return curl_getdate(text, NULL);
}

/* libcurl's version, with the libraries in it. */
const char *
dnc_http_version(void)
{
	return curl_version();
}
