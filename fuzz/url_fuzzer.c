/*
 * url_fuzzer.c
 *		What src/wire/url.c makes of a text as a base URL and as part of a query, under
 *		libFuzzer.
 *
 * A base URL that is taken is https, or http to this machine, and has neither
 * user info, query nor fragment.  An escaped text is made of unreserved
 * characters and triplets, and is the text when the triplets are read.
 */
#include "postgres.h"

#include "postgres_stub.h"
#include "wire/url.h"

/* Fails unless a URL that was taken is what the documentation allows. */
static void
check_taken(const char *url)
{
	const char *host = strstr(url, "//");
	size_t		length;

	if (strpbrk(url, "?# \r\n\t"))
		abort();
	if (pg_strncasecmp(url, "https:", 6) == 0)
		return;
	if (pg_strncasecmp(url, "http:", 5) != 0)
		abort();
	host = url + 5 + strspn(url + 5, "/");
	length = strcspn(host, "/");
	if (memchr(host, '@', length) || memchr(host, '\\', length))
		abort();
}

/* Fails unless an escaped text is the text. */
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
