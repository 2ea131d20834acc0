/*
 * url_fuzzer.c
 *		src/wire/url.c, which takes a text as a base URL and as part of a query, under
 *		libFuzzer.
 *
 * A base URL that is taken is https, or http to this machine.  Its host follows the two slashes,
 * and it has no user info, query, fragment or segments of dots.  An escaped text is made of
 * unreserved characters and triplets; when the triplets are decoded, it is the original text.
 */
#include "postgres.h"

#include "postgres_stub.h"
#include "wire/url.h"

/* Fails unless a URL that was taken is as the documentation allows. */
static void
check_taken(const char *url)
{
	const char *host;
	size_t		length;

	if (strpbrk(url, "?#\\ \r\n\t") || strstr(url, "/../") || strstr(url, "/./") ||
		strstr(url, "/%2e%2e/"))
		abort();
	if (pg_strncasecmp(url, "https://", 8) == 0)
		host = url + 8;
	else if (pg_strncasecmp(url, "http://", 7) == 0)
		host = url + 7;
	else
		abort();
	length = strcspn(host, "/");
	if (length == 0 || *host == ':' || memchr(host, '@', length) || memchr(host, '%', length) ||
		host[length - 1] == '.' || host[length - 1] == ':')
		abort();
}

/* Fails unless an escaped text stands for the original text. */
static void
check_escaped(const char *escaped, const char *text)
{
	for (const char *c = escaped; *c; c++)
	{
		unsigned int byte = (unsigned char) *c;

		if (*c == '%')
		{
			if (sscanf(c + 1, "%2X", &byte) != 1)
				abort();
			c += 2;
		}
		else if (!((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
				   (*c >= 'A' && *c <= 'Z') || strchr("-._~", *c)))
			abort();
		if ((unsigned char) *text++ != byte)
			abort();
	}
	if (*text)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text = palloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	if (dnc_url_check_base(text) == NULL)
		check_taken(text);
	check_escaped(dnc_url_escape(text), text);
	stub_reset();
	return 0;
}
