/*-------------------------------------------------------------------------
 *
 * url.c
 *		URLs as texts: what may be a base URL, and what has to be escaped.
 *
 * Sends nothing.  libcurl's own parser says what a URL is, so that what is
 * checked is what will be connected to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <sys/socket.h>

#include "utils/memutils.h"

#include "wire/url.h"

/* Percent-encode a text for a URL (RFC 3986 2.3: all but unreserved); palloc'd. */
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

/* Is this the name or the address of this machine itself? */
static bool
is_loopback_host(const char *host)
{
	struct in_addr v4;

	return pg_strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
		(inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127);
}

/* What is wrong with a parsed URL as a base URL; NULL: nothing. */
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
 * What is wrong with a text as a server's base URL, as a sentence; NULL:
 * nothing.  Sends nothing and looks up no name.
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
	return problem;
}
