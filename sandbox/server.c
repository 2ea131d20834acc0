/*
 * server.c
 *		The HTTP server and its event loop.
 *
 * One thread: our own epoll over libmicrohttpd's epoll, the signals, stdin and the clients of
 * stalled answers, with the timer heap as its timeout.  We pass a request on when its body is
 * complete.  libmicrohttpd calls once more when a postponed request, or its answer, may continue.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "deliver.h"
#include "registry.h"
#include "serve.h"
#include "timer.h"

#define MAX_CONNECTIONS 4000
#define CONNECTION_MEMORY (256 * 1024)	/* bounds the request line and the headers */
#define MAX_EVENTS 64

/* The loop's sources of events; epoll events carry a pointer to one of them, or to a request. */
typedef struct SbLoop
{
	struct MHD_Daemon *daemon;
	int			epoll_fd;
	int			signal_fd;
	char		daemon_tag;
	char		signal_tag;
	char		stdin_tag;
} SbLoop;

/* All requests that have not ended; at the end of the program, we release the stalled ones. */
static SbRequest *live_requests;

/* Prints why the server cannot start; returns the exit code. */
static int
fail(const char *what, const char *why)
{
	fprintf(stderr, "dnc_sandbox: %s: %s\n", what, why);
	return 1;
}

/* libmicrohttpd has read a request line: makes the request, with the target as on the wire. */
static void *
on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
	SbRequest  *req = sb_alloc(sizeof(SbRequest));
	size_t		path_len = strcspn(target, "?");

	(void) cls;
	req->connection = connection;
	req->target = sb_copy(target, strlen(target));
	req->path = sb_copy(target, path_len);
	req->query = req->target + path_len + (req->target[path_len] == '?');
	req->next_live = live_requests;
	if (live_requests != NULL)
		live_requests->previous_live = req;
	live_requests = req;
	return req;
}

/* libmicrohttpd has finished a request, in any way. */
static void
on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
			 enum MHD_RequestTerminationCode code)
{
	SbRequest  *req = *con_cls;

	(void) cls;
	(void) connection;
	(void) code;
	if (req == NULL)
		return;
	sb_serve_finished(req);
	sb_timer_cancel(req);
	if (req->previous_live != NULL)
		req->previous_live->next_live = req->next_live;
	else
		live_requests = req->next_live;
	if (req->next_live != NULL)
		req->next_live->previous_live = req->previous_live;
	sb_answer_clear(&req->answer);
	sb_text_free(&req->body);
	free(req->target);
	free(req->path);
	free(req);
	*con_cls = NULL;
}

/* Whether the client of a connection is on this machine. */
static bool
is_loopback(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	if (info == NULL || info->client_addr == NULL)
		return false;
	if (info->client_addr->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *) info->client_addr)->sin6_addr);
	return info->client_addr->sa_family == AF_INET &&
		ntohl(((struct sockaddr_in *) info->client_addr)->sin_addr.s_addr) >> 24 == 127;
}

/* A TCP connection begins or ends. */
static void
on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	SbPeer	   *peer = *socket_context;

	(void) cls;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
	{
		peer = sb_alloc(sizeof(SbPeer));
		peer->loopback = is_loopback(connection);
		*socket_context = peer;
		return;
	}
	if (peer != NULL)
		free(peer->seen);
	free(peer);
	*socket_context = NULL;
}

/* Keeps a piece of a request's body. */
static void
keep_body(SbRequest *req, const char *piece, size_t size)
{
	if (req->body_too_big || req->body.len + size > SB_MAX_BODY)
	{
		req->body_too_big = true;
		sb_text_free(&req->body);
		return;
	}
	sb_text_add(&req->body, piece, size);
}

/* Passes a complete request to the module for it. */
static void
route(SbRequest *req)
{
	if (sb_serve_request(req))
		return;
	if (strncmp(req->path, "/sandbox/", 9) == 0)
		sb_control_serve(req);
	else
		sb_answer_text(&req->answer, 404, "nothing here; the APIs are under %s, "
					   "their controls under /sandbox/ (see dnc_sandbox --help)",
					   sb_registry_bases());
}

/* libmicrohttpd calls: with the headers, with each piece of the body, at its end, after a wait. */
static enum MHD_Result
on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
		   const char *version, const char *upload, size_t *upload_size, void **con_cls)
{
	SbRequest  *req = *con_cls;
	enum MHD_Result result;

	(void) cls;
	(void) url;
	(void) version;
	if (!req->begun)
	{
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

		req->begun = true;
		req->peer = info->socket_context;
		snprintf(req->method, sizeof(req->method), "%s", method);
		return MHD_YES;
	}
	if (*upload_size > 0)
	{
		keep_body(req, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	if (!req->thought)
	{
		req->thought = true;
		req->answer.delay_us = sb_serve_think(req);
		if (sb_deliver_postpone(req))
			return MHD_YES;
	}
	if (!req->served)
	{
		req->answer.delay_us = 0;
		req->served = true;
		route(req);
		if (sb_deliver_postpone(req))
			return MHD_YES;
	}
	result = sb_deliver(req);
	if (result == MHD_YES)
		sb_serve_answered(req);
	return result;
}

/* A whole file as a string, for free(); NULL if we cannot read it. */
static char *
read_file(const char *prefix, const char *suffix)
{
	SbText		name = {0};
	SbText		content = {0};
	char		piece[4096];
	size_t		got;
	FILE	   *file;

	sb_text_printf(&name, "%s%s", prefix, suffix);
	file = fopen(name.data, "r");
	if (file == NULL)
		fail(name.data, strerror(errno));
	sb_text_free(&name);
	if (file == NULL)
		return NULL;
	sb_text_reserve(&content, 0);
	while ((got = fread(piece, 1, sizeof(piece), file)) > 0)
		sb_text_add(&content, piece, got);
	fclose(file);
	return content.data;
}

/* Opens the listening socket and finds its port; -1, after a message, if that fails. */
static int
open_socket(const SbServerOptions *options, int *port)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
	.ai_socktype = SOCK_STREAM};
	struct addrinfo *address;
	struct sockaddr_storage bound = {0};
	socklen_t	bound_len = sizeof(bound);
	char		service[12];
	char		where[120];
	int			one = 1;
	int			fd;

	snprintf(service, sizeof(service), "%d", options->port);
	snprintf(where, sizeof(where), "cannot listen on %.60s, port %s", options->listen, service);
	if (getaddrinfo(options->listen, service, &hints, &address) != 0)
	{
		fail(where, "not a numeric address");
		return -1;
	}
	fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
		bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, 511) != 0 ||
		getsockname(fd, (struct sockaddr *) &bound, &bound_len) != 0)
	{
		fail(where, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(address);
	/* The port is at the same place in the addresses of both families. */
	*port = ntohs(((struct sockaddr_in *) &bound)->sin_port);
	return fd;
}

/* Starts libmicrohttpd on a listening socket; NULL, after a message, if that fails. */
static struct MHD_Daemon *
start_daemon(const SbServerOptions *options, int listen_fd, char *key, char *certificate)
{
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_KEY, 0, key},
		{MHD_OPTION_HTTPS_MEM_CERT, 0, certificate},
		{MHD_OPTION_END, 0, NULL}
	};
	unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
	struct MHD_Daemon *daemon;

	if (options->tls == NULL)
		tls[0].option = MHD_OPTION_END;
	else
		flags |= MHD_USE_TLS;
	daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, NULL,
							  MHD_OPTION_LISTEN_SOCKET, listen_fd,
							  MHD_OPTION_CONNECTION_LIMIT, (unsigned int) MAX_CONNECTIONS,
							  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) CONNECTION_MEMORY,
							  MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL,
							  MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
							  MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL,
							  MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
	if (daemon == NULL)
		fail("cannot start the server", options->tls == NULL ? "libmicrohttpd refuses" :
			 "libmicrohttpd refuses (are the certificate and the key PEM, and a pair?)");
	return daemon;
}

/* Writes the port number into a file, which appears complete or not at all. */
static bool
write_port_file(const char *name, int port)
{
	SbText		temporary = {0};
	FILE	   *file;
	bool		done = false;

	sb_text_printf(&temporary, "%s.%ld.tmp", name, (long) getpid());
	file = fopen(temporary.data, "w");
	if (file != NULL)
	{
		done = fprintf(file, "%d\n", port) > 0;
		done = fclose(file) == 0 && done;
		done = done && rename(temporary.data, name) == 0;
	}
	if (!done)
		fail(name, strerror(errno));
	sb_text_free(&temporary);
	return done;
}

/* Adds a descriptor to the loop; false if epoll cannot watch it (a plain file). */
static bool
loop_add(SbLoop *loop, int fd, void *tag)
{
	struct epoll_event event = {.events = EPOLLIN,.data.ptr = tag};

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Makes the loop's descriptors; from now on, signals come through one of them. */
static void
loop_init(SbLoop *loop, struct MHD_Daemon *daemon)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
	sigset_t	signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	loop->daemon = daemon;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	loop_add(loop, loop->signal_fd, &loop->signal_tag);
	loop_add(loop, info->epoll_fd, &loop->daemon_tag);
	sb_deliver_init(loop->epoll_fd);
}

/* The milliseconds for which the loop may sleep; -1: until something happens. */
static int
loop_timeout(SbLoop *loop)
{
	MHD_UNSIGNED_LONG_LONG daemon_ms;
	int64_t		due = sb_timer_next();
	int64_t		timeout = -1;

	if (due >= 0)
		timeout = due - sb_now_us();
	if (due >= 0)
		timeout = timeout < 0 ? 0 : (timeout + 999) / 1000;
	if (MHD_get_timeout(loop->daemon, &daemon_ms) == MHD_YES &&
		(timeout < 0 || daemon_ms < (MHD_UNSIGNED_LONG_LONG) timeout))
		timeout = (int64_t) daemon_ms;
	return timeout > 60000 ? 60000 : (int) timeout;
}

/* Reads stdin and discards the data; true at its end. */
static bool
stdin_ended(void)
{
	char		piece[4096];
	ssize_t		got = read(STDIN_FILENO, piece, sizeof(piece));

	return got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN);
}

/* Serves until a signal, or until the end of stdin if exit_on_eof. */
static void
loop_run(SbLoop *loop, bool exit_on_eof)
{
	bool		ended = false;

	/* epoll cannot watch a plain file, which never makes us wait: we read it to its end. */
	if (exit_on_eof && !loop_add(loop, STDIN_FILENO, &loop->stdin_tag))
		while (!ended)
			ended = stdin_ended();
	while (!ended)
	{
		struct epoll_event event[MAX_EVENTS];
		int			events = epoll_wait(loop->epoll_fd, event, MAX_EVENTS, loop_timeout(loop));
		SbRequest  *req;

		for (int i = 0; i < events; i++)
		{
			void	   *tag = event[i].data.ptr;

			if (tag == &loop->signal_tag)
				ended = true;
			else if (tag == &loop->stdin_tag)
				ended = ended || stdin_ended();
			else if (tag != &loop->daemon_tag)
				sb_deliver_gone(tag);
		}
		while ((req = sb_timer_due(sb_now_us())) != NULL)
			sb_deliver_resume(req);
		MHD_run(loop->daemon);
	}
}

/* Releases every request, stops libmicrohttpd, and frees the loop. */
static void
loop_end(SbLoop *loop)
{
	for (SbRequest *req = live_requests; req != NULL; req = req->next_live)
		sb_deliver_gone(req);
	MHD_run(loop->daemon);
	MHD_stop_daemon(loop->daemon);
	close(loop->signal_fd);
	close(loop->epoll_fd);
	sb_timer_free();
}

/* Runs the server until it is told to end; returns the exit code. */
int
sb_server_run(const SbServerOptions *options)
{
	char	   *key = NULL;
	char	   *certificate = NULL;
	struct MHD_Daemon *daemon = NULL;
	int			listen_fd = -1;
	int			port = 0;
	bool		brackets = strchr(options->listen, ':') != NULL;
	bool		ready = options->tls == NULL ||
		((key = read_file(options->tls, ".key")) != NULL &&
		 (certificate = read_file(options->tls, ".crt")) != NULL);

	if (ready)
		listen_fd = open_socket(options, &port);
	if (listen_fd >= 0)
		daemon = start_daemon(options, listen_fd, key, certificate);
	if (daemon != NULL)
	{
		SbLoop		loop = {0};

		loop_init(&loop, daemon);
		ready = options->port_file == NULL || write_port_file(options->port_file, port);
		if (ready)
		{
			printf("dnc_sandbox: listening on %s://%s%s%s:%d\n",
				   options->tls == NULL ? "http" : "https", brackets ? "[" : "",
				   options->listen, brackets ? "]" : "", port);
			fflush(stdout);
			loop_run(&loop, options->exit_on_eof);
		}
		loop_end(&loop);
	}
	else if (listen_fd >= 0)
		close(listen_fd);
	free(key);
	free(certificate);
	return daemon != NULL && ready ? 0 : 1;
}
