/*
 * floor.c
 *		The floor of the benchmark: what reading a list takes, and nothing else.
 *
 *	floor scan URL TOKEN             follows the cursors of Alta's list to its end
 *	floor get URL TOKEN N            sends N requests, one after the other: URL with N's numbers
 *
 * One connection that is kept.  "scan" parses each page with cJSON, walks through the members of
 * its entries, counts the entries and keeps the latest createdAt.  "get" takes the answers and
 * looks at none: URL may be a format with one %d, for the numbers from 1 to N.  Prints a line: seconds,
 * seconds of CPU, peak memory in kB, requests, entries, the latest createdAt.  Time begins when the
 * connection is there, so that neither the start of the program nor the connecting counts.
 */
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define URL_SIZE 4096
#define TIME_SIZE 64

/* A body as it arrives, with a NUL behind it. */
typedef struct Body
{
	char	   *bytes;
	size_t		length;
	size_t		room;
} Body;

/* What was read so far. */
typedef struct Found
{
	long		requests;
	long		entries;
	char		latest[TIME_SIZE];
} Found;

/* Ends the program: a floor that did not read everything is none. */
static void
fail(const char *what)
{
	fprintf(stderr, "floor: %s\n", what);
	exit(1);
}

/* CURLOPT_WRITEFUNCTION: keeps a piece of the body. */
static size_t
receive(char *piece, size_t size, size_t count, void *into)
{
	Body	   *body = into;
	size_t		length = size * count;

	if (body->length + length + 1 > body->room)
	{
		body->room = (body->length + length + 1) * 2;
		body->bytes = realloc(body->bytes, body->room);
		if (body->bytes == NULL)
			return 0;
	}
	memcpy(body->bytes + body->length, piece, length);
	body->length += length;
	body->bytes[body->length] = '\0';
	return length;
}

/* One request; the body is in *body until the next. */
static void
get(CURL *curl, const char *url, Body *body, Found *found)
{
	long		status = 0;

	body->length = 0;
	if (curl_easy_setopt(curl, CURLOPT_URL, url) != CURLE_OK ||
		curl_easy_perform(curl) != CURLE_OK ||
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK || status != 200)
		fail("a request failed");
	found->requests++;
}

/* Takes in an entry: one look at each of its members. */
static void
take_entry(const cJSON *entry, Found *found)
{
	const cJSON *member;

	cJSON_ArrayForEach(member, entry)
	{
		if (cJSON_IsString(member) && strcmp(member->string, "createdAt") == 0 &&
			strcmp(member->valuestring, found->latest) > 0)
			snprintf(found->latest, sizeof(found->latest), "%s", member->valuestring);
	}
	found->entries++;
}

/* Takes in a page; gives whether there is a next one, and the URL of it. */
static bool
take_page(const Body *body, const char *first_url, char *url, Found *found)
{
	cJSON	   *page = cJSON_ParseWithLength(body->bytes, body->length);
	const cJSON *data = cJSON_GetObjectItemCaseSensitive(page, "data");
	const cJSON *next = cJSON_GetObjectItemCaseSensitive(page, "next");
	bool		more = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(page, "hasMore"));
	const cJSON *entry;

	if (!cJSON_IsArray(data) || (more && !cJSON_IsString(next)))
		fail("a page is not what it should be");
	cJSON_ArrayForEach(entry, data)
		take_entry(entry, found);
	/* The sandbox's cursors are base64url: nothing in them has to be encoded. */
	if (more)
		snprintf(url, URL_SIZE, "%s&cursor=%s", first_url, next->valuestring);
	cJSON_Delete(page);
	return more;
}

/* Reads a list to its end. */
static void
scan(CURL *curl, const char *first_url, Body *body, Found *found)
{
	char		url[URL_SIZE];
	bool		more = true;

	snprintf(url, sizeof(url), "%s", first_url);
	while (more)
	{
		get(curl, url, body, found);
		more = take_page(body, first_url, url, found);
	}
}

/* The URL of request n: the format's one %d is replaced.  One without is the same each time. */
static void
numbered_url(char *url, const char *format, long n)
{
	const char *place = strstr(format, "%d");

	if (place == NULL)
		snprintf(url, URL_SIZE, "%s", format);
	else
		snprintf(url, URL_SIZE, "%.*s%06ld%s", (int) (place - format), format, n, place + 2);
}

/* Seconds of a clock. */
static double
seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* A handle that has all but the URL. */
static CURL *
make_handle(const char *token, Body *body)
{
	CURL	   *curl;
	char		header[URL_SIZE];
	struct curl_slist *headers;

	snprintf(header, sizeof(header), "Authorization: Bearer %s", token);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	curl = curl_easy_init();
	headers = curl_slist_append(NULL, header);
	if (curl == NULL || headers == NULL ||
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) != CURLE_OK ||
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive) != CURLE_OK ||
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, body) != CURLE_OK ||
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") != CURLE_OK)
		fail("libcurl does not work");
	return curl;
}

int
main(int argc, char **argv)
{
	bool		scanning = argc == 4 && strcmp(argv[1], "scan") == 0;
	long		count = argc == 5 && strcmp(argv[1], "get") == 0 ? atol(argv[4]) : 0;
	Body		body = {0};
	Found		found = {0};
	CURL	   *curl;
	char		url[URL_SIZE];
	double		start;
	double		start_cpu;
	struct rusage usage;

	if (!scanning && count < 1)
		fail("usage: floor scan URL TOKEN | floor get URL TOKEN N");
	curl = make_handle(argv[3], &body);
	if (scanning)
		snprintf(url, sizeof(url), "%s&search=nobody", argv[2]);
	else
		numbered_url(url, argv[2], 0);
	get(curl, url, &body, &found);
	found.requests = 0;

	start = seconds(CLOCK_MONOTONIC);
	start_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	if (scanning)
		scan(curl, argv[2], &body, &found);
	for (long n = 1; n <= count; n++)
	{
		numbered_url(url, argv[2], n);
		get(curl, url, &body, &found);
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("%.6f %.6f %ld %ld %ld %s\n", seconds(CLOCK_MONOTONIC) - start,
		   seconds(CLOCK_PROCESS_CPUTIME_ID) - start_cpu, usage.ru_maxrss, found.requests,
		   found.entries, found.entries > 0 ? found.latest : "-");
	return 0;
}
