/*
 * deliver.c
 *		Getting an answer over the wire: at once, late, slowly, in part, or not at all.
 *
 * Waiting means that libmicrohttpd ignores the connection ("suspended") until a timer fires or
 * the client goes away.  libmicrohttpd does not notice that the client of a suspended connection
 * goes away.  This file notices it, through the event loop's own epoll.
 */
#include "deliver.h"

#include <string.h>
#include <sys/epoll.h>

#include "timer.h"

#define SLOW_STEP_US 20000		/* a slow body gets a piece this often */

static int	watch_fd = -1;

/* Sets the epoll that reports departing clients: its events carry the request. */
void
sb_deliver_init(int epoll_fd)
{
	watch_fd = epoll_fd;
}

/* Begins or ends watching for the client's departure. */
static void
watch(SbRequest *req, bool on)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct epoll_event event = {.events = EPOLLRDHUP | EPOLLHUP | EPOLLERR,.data.ptr = req};

	if (info == NULL || req->watched == on)
		return;
	epoll_ctl(watch_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, info->connect_fd, &event);
	req->watched = on;
}

/* Suspends the connection until due_us; if that is 0, until the client goes away. */
static void
suspend(SbRequest *req, int64_t due_us)
{
	if (due_us == 0)
		watch(req, true);
	else
		sb_timer_set(req, due_us);
	req->suspended = true;
	MHD_suspend_connection(req->connection);
}

/* Lets a waiting request continue. */
void
sb_deliver_resume(SbRequest *req)
{
	if (!req->suspended)
		return;
	watch(req, false);
	sb_timer_cancel(req);
	req->suspended = false;
	MHD_resume_connection(req->connection);
}

/* Like sb_deliver_resume(), for an answer that nobody waits for any more. */
void
sb_deliver_gone(SbRequest *req)
{
	req->gone = true;
	sb_deliver_resume(req);
}

/* Before the answer: true if the request has to wait first, for its latency or forever. */
bool
sb_deliver_postpone(SbRequest *req)
{
	if (req->gone)
		return false;
	if (req->answer.delivery == SB_DELIVER_STALL)
		suspend(req, 0);
	else if (req->answer.delay_us > 0)
		suspend(req, sb_now_us() + req->answer.delay_us);
	return req->suspended;
}

/* The part of the body that we may send by now; *again_us is when we may send more. */
static uint64_t
allowance(const SbRequest *req, uint64_t total, int64_t *again_us)
{
	const SbAnswer *answer = &req->answer;
	int64_t		now = sb_now_us();
	int64_t		byte_us = (int64_t) (1000000 / answer->bytes_per_second);
	uint64_t	allowed = (uint64_t) ((double) (now - req->started_us) *
									  (double) answer->bytes_per_second / 1e6);

	*again_us = now + (byte_us > SLOW_STEP_US ? byte_us : SLOW_STEP_US);
	return allowed < total ? allowed : total;
}

/* libmicrohttpd asks for the next bytes of a body that does not go out at once. */
static ssize_t
read_body(void *cls, uint64_t at, char *into, size_t max)
{
	SbRequest  *req = cls;
	const SbAnswer *answer = &req->answer;
	uint64_t	end = answer->body.len + answer->padding;
	int64_t		again_us = 0;
	size_t		from_body = 0;

	if (req->gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (answer->delivery == SB_DELIVER_CUT || answer->delivery == SB_DELIVER_STALL_BODY)
		end /= 2;
	else if (answer->delivery == SB_DELIVER_SLOW)
		end = allowance(req, end, &again_us);
	if (at >= end)
	{
		if (answer->delivery == SB_DELIVER_CUT)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		suspend(req, again_us);
		return 0;
	}

	if (max > end - at)
		max = (size_t) (end - at);
	if (at < answer->body.len)
		from_body = answer->body.len - at < max ? answer->body.len - (size_t) at : max;
	if (from_body > 0)
		memcpy(into, answer->body.data + at, from_body);
	memset(into + from_body, ' ', max - from_body);
	return (ssize_t) max;
}

/* The answer in libmicrohttpd's form. */
static struct MHD_Response *
make_response(SbRequest *req)
{
	SbAnswer   *answer = &req->answer;
	struct MHD_Response *response;
	uint64_t	size = answer->body.len + answer->padding;

	if (size > 0 && (answer->delivery != SB_DELIVER || answer->padding > 0))
		response = MHD_create_response_from_callback(size, 65536, read_body, req, NULL);
	else if (size > 0)
	{
		response = MHD_create_response_from_buffer(answer->body.len, answer->body.data,
												   MHD_RESPMEM_MUST_FREE);
		if (response != NULL)
			memset(&answer->body, 0, sizeof(answer->body));
	}
	else
		response = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
	if (response == NULL)
		return NULL;

	if (answer->content_type != NULL)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
	for (int i = 0; i < answer->headers; i++)
		MHD_add_response_header(response, answer->header[i].name, answer->header[i].value);
	return response;
}

/* Sends the answer; MHD_NO, which closes the connection, if there is none to send. */
enum MHD_Result
sb_deliver(SbRequest *req)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	if (req->gone || req->answer.delivery == SB_DELIVER_CLOSE ||
		(response = make_response(req)) == NULL)
		return MHD_NO;
	req->started_us = sb_now_us();
	result = MHD_queue_response(req->connection, (unsigned int) req->answer.status, response);
	MHD_destroy_response(response);
	return result;
}
