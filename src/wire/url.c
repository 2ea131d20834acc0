/*-------------------------------------------------------------------------
 *
 * url.c
 *		URLs as texts: the check of a base URL, and escaping.
 *
 * This file sends nothing.  libcurl's own parser says what a URL is, so we check the
 * same host that libcurl will connect to.  The parser also mends some wrong spellings;
 * we refuse those.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <sys/socket.h>

#include "utils/memutils.h"

#include "wire/url.h"

/* Percent-encode all but the unreserved characters (RFC 3986 2.3) of a text; palloc'd. */
char *
dnc_url_escape(const char *text)
{
	char	   *escaped;
	char	   *copy;

	if (*text == '\0')
		return pstrdup("");
	escaped = curl_easy_escape(NULL, text, 0);
	if (escaped == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	copy = MemoryContextAllocExtended(CurrentMemoryContext, strlen(escaped) + 1, MCXT_ALLOC_NO_OOM);
	if (copy)
		strcpy(copy, escaped);
	curl_free(escaped);
	if (copy == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return copy;
}

/* Is this a name or an address of this machine itself? */
static bool
is_loopback_host(const char *host)
{
	struct in_addr v4;

	return pg_strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
		(inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127);
}

/* Find a problem of a parsed URL as a base URL; NULL: none. */
static const char *
base_url_problem(CURLU *url)
{
	const CURLUPart unwanted[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
	CURLUPART_FRAGMENT};
	char	   *scheme = NULL;
	char	   *host = NULL;
	const char *problem = NULL;

	for (size_t i = 0; i < lengthof(unwanted); i++)
	{
		char	   *part = NULL;

		if (curl_url_get(url, unwanted[i], &part, 0) == CURLUE_OK)
			problem = i < 2 ? "The URL must not hold a user name or password: the token goes into the user mapping."
				: "The URL must not have a query or a fragment.";
		curl_free(part);
	}
	if (problem)
		return problem;
	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
		curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		problem = "The URL has no scheme or no host.";
	else if (strcmp(scheme, "http") == 0 && !is_loopback_host(host))
		problem = "Plain http is for a loopback host (127.0.0.1, [::1], localhost) only: use https.";
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		problem = "The URL must begin with https://, or with http:// for a loopback host.";
	curl_free(scheme);
	curl_free(host);
	return problem;
}

/*
 * Find a problem in a host name of this length; NULL: none.  Labels are as in RFC 1035 2.3.4.
 * A dot at the end would name the same host, but certificates do not have that dot.
 */
static const char *
host_problem(const char *host, size_t length)
{
	size_t		label = 0;

	for (size_t i = 0; i <= length; i++)
	{
		if (i < length && host[i] != '.')
			label++;
		else if (label == 0 || label > 63)
			return "The host must be a name such as api.example.com: between its dots stand 1 to 63 characters, and no dot at its end.";
		else
			label = 0;
	}
	if (length > 253)
		return "The host's name must not be longer than 253 characters.";
	return NULL;
}

/* Find a problem in the part of an authority behind the host; NULL: none. */
static const char *
port_problem(const char *port, size_t length)
{
	long		number = 0;

	if (length == 0)
		return NULL;
	for (size_t i = 1; i < length; i++)
	{
		if (port[i] < '0' || port[i] > '9' || number > 65535)
			number = -1;
		if (number < 0)
			break;
		number = number * 10 + (port[i] - '0');
	}
	if (*port != ':' || number < 1 || number > 65535)
		return "The port must be a number from 1 to 65535: leave out the colon for the usual port.";
	return NULL;
}

/* Find a problem in the part of a URL between its slashes and its path; NULL: none. */
static const char *
authority_problem(const char *authority, size_t length)
{
	size_t		host;
	const char *problem = NULL;

	if (length == 0)
		return "The host must follow https:// at once, as in https://api.example.com/v1.";
	if (memchr(authority, '@', length))
		return "The URL must not hold a user name or password: the token goes into the user mapping.";
	if (memchr(authority, '%', length))
		return "The host must be written without percent signs: no encoded characters, no zone of an IPv6 address.";
	if (*authority == '[')
	{
		const char *end = memchr(authority, ']', length);

		if (end == NULL)
			return "An IPv6 address must stand in brackets, as in https://[::1]:8443/v1.";
		host = end + 1 - authority;
	}
	else
	{
		const char *end = memchr(authority, ':', length);

		host = end ? (size_t) (end - authority) : length;
		problem = host_problem(authority, host);
	}
	return problem ? problem : port_problem(authority + host, length - host);
}

/*
 * The number of bytes at *text that stand for a dot, plain or percent-encoded (RFC 3986
 * 6.2.2.2); 0: there is no dot.
 */
static size_t
dot_length(const char *text)
{
	return *text == '.' ? 1 : pg_strncasecmp(text, "%2e", 3) == 0 ? 3 : 0;
}

/*
 * Find a problem in the path of a base URL; NULL: none.  libcurl resolves "/v1/../v2", and a
 * proxy may do so too.  A reader must not see another path than the one they use.
 */
static const char *
path_problem(const char *path)
{
	for (const char *c = path; *c; c++)
	{
		if (*c == '%' && (strspn(c + 1, "0123456789abcdefABCDEF") < 2))
			return "A percent sign in the path must be followed by two hexadecimal digits.";
		if (pg_strncasecmp(c, "%2f", 3) == 0 || pg_strncasecmp(c, "%5c", 3) == 0)
			return "The path must not hold encoded slashes or backslashes.";
	}
	for (const char *c = path; *c == '/';)
	{
		const char *segment = c + 1;
		size_t		dots = 0;

		for (c = segment; dot_length(c) > 0; c += dot_length(c))
			dots++;
		if (dots >= 1 && dots <= 2 && (*c == '/' || *c == '\0'))
			return "The path must not hold the segments \".\" or \"..\": write the path that they lead to.";
		c += strcspn(c, "/");
	}
	return NULL;
}

/*
 * Find a problem in the spelling of a URL; NULL: none.  libcurl mends some spellings, and then
 * speaks to another host than a reader expects: it takes "https:///v1" for the host v1.
 */
static const char *
spelling_problem(const char *text)
{
	const char *authority = strchr(text, ':');
	size_t		length;
	const char *problem;

	if (strchr(text, '\\'))
		return "The URL must not hold a backslash.";
	if (authority == NULL || strncmp(authority, "://", 3) != 0)
		return "The URL must begin with https://, or with http:// for a loopback host.";
	authority += 3;
	length = strcspn(authority, "/");
	problem = authority_problem(authority, length);
	return problem ? problem : path_problem(authority + length);
}

/*
 * Find a problem in a text as a server's base URL.  Returns a sentence; NULL: none.  Sends
 * nothing and looks up no name.
 */
const char *
dnc_url_check_base(const char *text)
{
	CURLU	   *url;
	const char *problem;

	for (const char *c = text; *c; c++)
	{
		if (*c <= 0x20 || *c >= 0x7f)
			return "The URL must be printable ASCII without blanks.";
	}
	if (strchr(text, '?') || strchr(text, '#'))
		return "The URL must not have a query or a fragment.";
	url = curl_url();
	if (url == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		problem = "This is not a URL such as https://api.example.com/v1.";
	else
		problem = base_url_problem(url);
	curl_url_cleanup(url);
	return problem ? problem : spelling_problem(text);
}
