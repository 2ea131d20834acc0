/*
 * main.c
 *		The command line of dnc_sandbox.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "help.h"
#include "http.h"
#include "server.h"
#include "timer.h"

#define DEFAULT_PORT 8089

typedef enum SbOption
{
	OPTION_HELP = 256,
	OPTION_LISTEN,
	OPTION_PORT,
	OPTION_PORT_FILE,
	OPTION_TLS,
	OPTION_EXIT_ON_EOF,
	OPTION_RATE_LIMIT
} SbOption;

static const struct option options_known[] = {
	{"help", no_argument, NULL, OPTION_HELP},
	{"listen", required_argument, NULL, OPTION_LISTEN},
	{"port", required_argument, NULL, OPTION_PORT},
	{"port-file", required_argument, NULL, OPTION_PORT_FILE},
	{"tls", required_argument, NULL, OPTION_TLS},
	{"exit-on-eof", no_argument, NULL, OPTION_EXIT_ON_EOF},
	{"rate-limit", required_argument, NULL, OPTION_RATE_LIMIT},
	{NULL, 0, NULL, 0}
};

/* Ends the program because of a mistake in the command line. */
static void
usage_error(const char *what, const char *which)
{
	fprintf(stderr, "dnc_sandbox: %s: %s\nTry: dnc_sandbox --help\n", what, which);
	exit(2);
}

/* Reads N/SECONDS, and makes this the rate limit of new accounts. */
static void
set_rate_limit(const char *argument)
{
	const char *slash = strchr(argument, '/');
	char	   *first = sb_copy(argument, slash == NULL ? 0 : (size_t) (slash - argument));
	int64_t		requests = 0;
	int64_t		seconds = 0;
	bool		good = slash != NULL && sb_parse_integer(first, 0, 1000000000, &requests) &&
		sb_parse_integer(slash + 1, 1, 86400, &seconds);

	free(first);
	if (!good)
		usage_error("--rate-limit takes REQUESTS/SECONDS, as 100/60, not", argument);
	sb_accounts_rate_limit((long) requests, (long) seconds * 1000);
}

/* Reads the command line; ends the program for --help and for mistakes. */
static void
read_options(int argc, char **argv, SbServerOptions *options)
{
	int64_t		number;
	int			which;

	opterr = 0;
	while ((which = getopt_long(argc, argv, ":", options_known, NULL)) != -1)
	{
		switch (which)
		{
			case OPTION_HELP:
				fputs(sb_help_text, stdout);
				exit(0);
			case OPTION_LISTEN:
				options->listen = optarg;
				break;
			case OPTION_PORT:
				if (!sb_parse_integer(optarg, 0, 65535, &number))
					usage_error("--port takes a number from 0 to 65535, not", optarg);
				options->port = (int) number;
				break;
			case OPTION_PORT_FILE:
				options->port_file = optarg;
				break;
			case OPTION_TLS:
				options->tls = optarg;
				break;
			case OPTION_EXIT_ON_EOF:
				options->exit_on_eof = true;
				break;
			case OPTION_RATE_LIMIT:
				set_rate_limit(optarg);
				break;
			case ':':
				usage_error("option needs a value", argv[optind - 1]);
				break;
			default:
				usage_error("no such option", argv[optind - 1]);
		}
	}
	if (optind < argc)
		usage_error("too many arguments, the first is", argv[optind]);
}

/* Runs the sandbox: 0 after a clean end, 1 if it cannot start, 2 for a wrong command line. */
int
main(int argc, char **argv)
{
	SbServerOptions options = {.listen = "127.0.0.1",.port = DEFAULT_PORT};
	int			result;

	sb_server_ms();
	read_options(argc, argv, &options);
	result = sb_server_run(&options);
	sb_accounts_free();
	return result;
}
