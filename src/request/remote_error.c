/*-------------------------------------------------------------------------
 *
 * remote_error.c
 *		The single way from the remote's faults to PostgreSQL errors.
 *
 * The message is stable and names the server.  DETAIL has the parts that vary, such as
 * the words of libcurl or the API.  HINT says what to do.  No word of the remote leaves
 * this file before we have looked for the token in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "request/redact.h"
#include "request/remote_error.h"

/* We show at most this many characters of the API's words. */
#define MAX_REMOTE_TEXT 500

/*
 * We look at this many bytes of the API's words: the part that we show, and enough behind it to
 * recognize a secret that the end of that part cuts.
 */
#define MAX_LOOKED_AT (MAX_REMOTE_TEXT * 4 + 512)

/* Append a UTF-8 character in the database's encoding; false: the encoding lacks it. */
static bool
append_converted(StringInfo text, const char *character, int length)
{
	int			encoding = GetDatabaseEncoding();
	unsigned char converted[MAX_CONVERSION_GROWTH * 4 + 1];
	Oid			conversion;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII || length == 1)
	{
		appendBinaryStringInfo(text, character, length);
		return true;
	}
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion) ||
		pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
									  (unsigned char *) unconstify(char *, character), length,
									  converted, sizeof(converted), true) != length)
		return false;
	appendStringInfoString(text, (char *) converted);
	return true;
}

/*
 * A text from the remote, made fit to be shown; palloc'd.  It is in the database's encoding,
 * cut to a length, and without the token.  A question mark stands for a character that the
 * encoding lacks and for bytes that are not UTF-8, a blank for an invisible character.  This
 * function never raises an error, because that would hide the error that we report.
 */
char *
dnc_remote_error_text(const DncOptions *options, const char *utf8)
{
	char	   *source = pnstrdup(utf8, MAX_LOOKED_AT);
	const char *c = source;
	StringInfoData text;

	dnc_redact_secret(source, options->token);
	dnc_redact_secret(source, options->workspace_id);
	initStringInfo(&text);
	for (int characters = 0; *c && characters < MAX_REMOTE_TEXT; characters++)
	{
		int			length = dnc_redact_character_length(c);

		if (length == 1 && IS_HIGHBIT_SET(*c))
			appendStringInfoChar(&text, '?');
		else if (dnc_redact_is_invisible(utf8_to_unicode((const unsigned char *) c)))
			appendStringInfoChar(&text, ' ');
		else if (!append_converted(&text, c, length))
			appendStringInfoChar(&text, '?');
		c += length;
	}
	if (*c)
		appendStringInfoString(&text, "...");
	return text.data;
}

/* The API's own words in the body of an error, palloc'd; NULL: none. */
char *
dnc_remote_error_api_message(const DncOptions *options, const DncJson *tree)
{
	const char *const *paths = options->provider->error_messages;

	for (size_t i = 0; i < lengthof(options->provider->error_messages) && paths[i]; i++)
	{
		const DncJson *text = dnc_json_get(tree, paths[i]);

		if (text && dnc_json_kind(text) == DNC_JSON_STRING && *dnc_json_string(text))
			return dnc_remote_error_text(options, dnc_json_string(text));
	}
	return NULL;
}

/* The number of tries, as a sentence with a blank in front; empty for a single try. */
static char *
tries_text(const DncTries *tries)
{
	if (tries->count < 2)
		return "";
	return psprintf(" Tried %d times in %.1f s.", tries->count, tries->elapsed_ms / 1000);
}

/* The target of a redirect, without its query, which may hold identifiers; palloc'd. */
static char *
redirect_text(const DncOptions *options, const char *url)
{
	return psprintf("it leads to \"%s\"",
					dnc_remote_error_text(options, pnstrdup(url, strcspn(url, "?#"))));
}

/* The wait that the remote asks for beyond max_wait, as a sentence with a blank behind; or empty */
static char *
asked_text(const DncOptions *options, const DncTries *tries)
{
	if (tries->asked_wait_ms <= 0)
		return "";
	return psprintf("It asks to wait for %.0f s, and max_wait is %.0f s. ",
					tries->asked_wait_ms / 1000, options->max_wait / 1000.0);
}

/* The status and the API's words about it, for DETAIL; palloc'd. */
static char *
status_text(const DncOptions *options, const DncHttpAnswer *answer, const DncTries *tries)
{
	const char *problem;
	const DncJson *tree = dnc_json_parse(answer->body, answer->length, &problem);
	char	   *message = tree ? dnc_remote_error_api_message(options, tree) : NULL;

	if (answer->redirect)
		message = redirect_text(options, answer->redirect);
	return psprintf("%sHTTP status %d%s%s%s%s", asked_text(options, tries), answer->status,
					message ? ": " : "",
					message ? message : "",
					message && *message && message[strlen(message) - 1] == '.' ? "" : ".",
					tries_text(tries));
}

/* Make a problem of these words; detail and hint are sentences. */
static DncProblem
make_problem(int sqlstate, const char *message, const char *detail, const char *hint)
{
	DncProblem	problem = {.sqlstate = sqlstate, .message = message, .detail = detail, .hint = hint};

	return problem;
}

/* The remote broke the contract of its API. */
static DncProblem
broken_contract(const DncOptions *options, const char *detail)
{
	return make_problem(ERRCODE_PROTOCOL_VIOLATION,
						psprintf("server \"%s\" broke the contract of its API",
								 options->server_name),
						detail,
						"An answer that cannot be relied on is not used, not even in part. Check base_url; if it is right, tell the vendor.");
}

/* There was no connection, or it broke before an answer came. */
static DncProblem
no_connection(const DncOptions *options, const DncHttpAnswer *answer, const char *detail)
{
	const char *message;
	const char *hint;

	switch (answer->outcome)
	{
		case DNC_HTTP_NOT_SECURED:
		case DNC_HTTP_NOT_TRUSTED:
			message = psprintf("could not make a secure connection to server \"%s\"",
							   options->server_name);
			hint = "Check base_url, and whether ca_file names the roots that the server's certificate hangs on.";
			break;
		case DNC_HTTP_NOT_CONNECTED:
			message = psprintf("could not connect to server \"%s\"", options->server_name);
			hint = "Check base_url, and whether the database server may reach that host.";
			break;
		case DNC_HTTP_TIMED_OUT:
			message = psprintf("server \"%s\" did not answer", options->server_name);
			hint = psprintf("Try again, or raise request_timeout (%d ms) with ALTER SERVER.",
							options->request_timeout);
			break;
		default:
			message = psprintf("server \"%s\" did not answer", options->server_name);
			hint = "The connection broke before an answer came. Try again.";
	}
	return make_problem(ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION, message, detail, hint);
}

/* No answer came, or only part of one. */
static DncProblem
no_answer(const DncOptions *options, const DncHttpAnswer *answer, const DncTries *tries)
{
	char	   *words = dnc_remote_error_text(options, answer->problem);
	size_t		length = strlen(words);
	char	   *detail;

	if (length > 0 && words[length - 1] == '.')
		words[length - 1] = '\0';	/* we add a full stop below */
	detail = psprintf("%s.%s", words, tries_text(tries));
	switch (answer->outcome)
	{
		case DNC_HTTP_MALFORMED:
			return broken_contract(options,
								   psprintf("The answer is not HTTP that can be read: %s", detail));
		case DNC_HTTP_CUT_OFF:
			return make_problem(ERRCODE_PROTOCOL_VIOLATION,
								psprintf("server \"%s\" cut its answer off", options->server_name),
								detail,
								"Nothing of the answer was used. Try again; if this stays, ask the vendor, or whoever runs a proxy in between.");
		case DNC_HTTP_TOO_LARGE:
			return make_problem(ERRCODE_PROGRAM_LIMIT_EXCEEDED,
								psprintf("an answer of server \"%s\" is larger than max_response_size",
										 options->server_name),
								psprintf("max_response_size is %d bytes, after decompression.",
										 options->max_response_size),
								"Lower page_size, or raise max_response_size with ALTER SERVER.");
		default:
			return no_connection(options, answer, detail);
	}
}

/* A whole answer came, and it says no. */
static DncProblem
refusal(const DncOptions *options, const DncHttpAnswer *answer, const DncTries *tries)
{
	const char *name = options->server_name;
	char	   *detail = status_text(options, answer, tries);
	int			status = answer->status;

	if (status < 200)
		return broken_contract(options, detail);
	if (status == 429)			/* and we wait no longer, or got 429 too often */
		return make_problem(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
							psprintf("rate limit of server \"%s\" reached", name), detail,
							tries->asked_wait_ms > 0
							? "Try again later, or raise max_wait with ALTER SERVER."
							: "Others may be using up the account's allowance. Try again later, or raise max_retries with ALTER SERVER.");
	if (status == 401 || status == 403)
		return make_problem(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
							psprintf("server \"%s\" refused the token", name), detail,
							psprintf("ALTER USER MAPPING ... SERVER %s OPTIONS (SET token '...') with a valid key of the vendor%s.",
									 quote_identifier(name),
									 options->workspace_id ? ", or (SET workspace_id '...') with a workspace of that key" : ""));
	if (status >= 300 && status < 400)
		return make_problem(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION,
							psprintf("server \"%s\" answered with a redirection", name), detail,
							"Redirections are not followed, so that the token goes nowhere else. Set base_url to where the API itself answers.");
	if (status >= 500)
		return make_problem(ERRCODE_FDW_UNABLE_TO_CREATE_REPLY,
							psprintf("server \"%s\" failed to serve the request", name), detail,
							"The fault is the vendor's. Try again later.");
	return make_problem(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION,
						psprintf("server \"%s\" refused the request", name), detail,
						"What follows the status is the vendor's message. If there is none, check base_url: it is put in front of the path of each request.");
}

/*
 * The reason why a request has not succeeded, in the words of an error; palloc'd.  answer is
 * NULL if the rate limit does not let the request through within max_wait, whether for the
 * first time or once more.
 */
DncProblem
dnc_remote_error_problem(const DncOptions *options, const DncHttpAnswer *answer, const DncTries *tries)
{
	if (answer && answer->outcome == DNC_HTTP_ANSWERED)
		return refusal(options, answer, tries);
	if (answer)
		return no_answer(options, answer, tries);
	return make_problem(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
						psprintf("rate limit of server \"%s\" reached", options->server_name),
						psprintf("The next request may be sent in %.0f s, and max_wait is %.0f s.%s",
								 ceil(tries->asked_wait_ms / 1000), options->max_wait / 1000.0,
								 tries_text(tries)),
						"Try again later, or raise max_wait with ALTER SERVER.");
}

/* Raise a problem as an error. */
void
dnc_remote_error_raise(const DncProblem *problem)
{
	ereport(ERROR,
			(errcode(problem->sqlstate),
			 errmsg_internal("%s", problem->message),
			 errdetail_internal("%s", problem->detail),
			 errhint("%s", problem->hint)));
}

/* Is this an SQLSTATE of a problem that the remote causes? */
bool
dnc_remote_error_is(int sqlstate)
{
	switch (sqlstate)
	{
		case ERRCODE_PROTOCOL_VIOLATION:
		case ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION:
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
		case ERRCODE_CONFIGURATION_LIMIT_EXCEEDED:
		case ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION:
		case ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION:
		case ERRCODE_FDW_UNABLE_TO_CREATE_REPLY:
			return true;
		default:
			return false;
	}
}

static char *format_sentence(const char *format, va_list args) pg_attribute_printf(1, 0);

/* Make a sentence from a format and its arguments; palloc'd. */
static char *
format_sentence(const char *format, va_list args)
{
	StringInfoData text;

	initStringInfo(&text);
	for (;;)
	{
		va_list		copy;
		int			needed;

		va_copy(copy, args);
		needed = appendStringInfoVA(&text, format, copy);
		va_end(copy);
		if (needed == 0)
			return text.data;
		enlargeStringInfo(&text, needed);
	}
}

/*
 * The remote broke the contract of its API, so we cannot rely on anything that it said: 08P01.
 * The format gives the DETAIL, a sentence.  palloc'd.
 */
DncProblem
dnc_remote_error_breach(const DncOptions *options, const char *format,...)
{
	va_list		args;
	char	   *detail;

	va_start(args, format);
	detail = format_sentence(format, args);
	va_end(args);
	return broken_contract(options, detail);
}

/* Raise the problem of dnc_remote_error_breach() as an error. */
void
dnc_remote_error_contract(const DncOptions *options, const char *format,...)
{
	va_list		args;
	DncProblem	problem;

	va_start(args, format);
	problem = broken_contract(options, format_sentence(format, args));
	va_end(args);
	dnc_remote_error_raise(&problem);
}
