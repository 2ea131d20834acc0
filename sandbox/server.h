/*
 * server.h
 *		The HTTP server and its event loop.
 */
#ifndef SB_SERVER_H
#define SB_SERVER_H

#include <stdbool.h>

typedef struct SbServerOptions
{
	const char *listen;			/* numeric address */
	int			port;			/* 0: any free port */
	const char *port_file;		/* NULL: none */
	const char *tls;			/* PREFIX of .crt and .key; NULL: plain http */
	bool		exit_on_eof;
} SbServerOptions;

extern int	sb_server_run(const SbServerOptions *options);

#endif							/* SB_SERVER_H */
