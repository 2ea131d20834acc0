/*
 * wire.c
 *		The weight of an answer: compression, and the line that the answer has to pass.
 *
 * All answers of an account share one line.  They pass it one after another, in the order in
 * which they are ready.  We deliver a whole answer when its last byte has passed: a reader of
 * pages cannot tell that from bytes that come one at a time.  Heads and requests weigh nothing.
 */
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16)	/* zlib: the largest window, in gzip's format */
#define GZIP_MEMORY 8			/* zlib's default */

/* Whether a request's Accept-Encoding names gzip, and not with a weight of 0. */
static bool
takes_gzip(const SbRequest *req)
{
	const char *list = sb_request_header(req, "Accept-Encoding");

	while (list != NULL && *list != '\0')
	{
		size_t		len = strcspn(list, ",");
		size_t		blanks = strspn(list, " \t");
		const char *weight;

		if (blanks < len && strncasecmp(list + blanks, "gzip", 4) == 0 &&
			strchr(" \t;,", list[blanks + 4]) != NULL)
		{
			weight = memchr(list, '=', len);
			return weight == NULL || strtod(weight + 1, NULL) > 0;
		}
		list += len;
		list += *list == ',';
	}
	return false;
}

/*
 * Compresses the answer's body at one of zlib's levels (1 to 9; 0: not at all), if the client
 * accepts that.  The fault of a body on its way stays as ordered.
 */
void
sb_wire_compress(const SbRequest *req, SbAnswer *answer, int level)
{
	z_stream	stream = {0};
	SbText		small = {0};

	if (level == 0 || answer->body.len == 0 || answer->padding > 0 || !takes_gzip(req) ||
		deflateInit2(&stream, level, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
					 Z_DEFAULT_STRATEGY) != Z_OK)
		return;
	sb_text_reserve(&small, deflateBound(&stream, answer->body.len));
	stream.next_in = (unsigned char *) answer->body.data;
	stream.avail_in = (unsigned int) answer->body.len;
	stream.next_out = (unsigned char *) small.data;
	stream.avail_out = (unsigned int) small.room;
	if (deflate(&stream, Z_FINISH) == Z_STREAM_END)
	{
		sb_text_free(&answer->body);
		small.len = stream.total_out;
		small.data[small.len] = '\0';
		answer->body = small;
		sb_answer_header(answer, "Content-Encoding", "gzip");
	}
	else
		sb_text_free(&small);
	deflateEnd(&stream);
}

/*
 * The time when an answer, ready at ready_us, has passed a line of this bandwidth, in bytes a
 * second (0: no limit).
 */
int64_t
sb_wire_pass(SbLine *line, const SbAnswer *answer, long bandwidth, int64_t ready_us)
{
	double		bytes = (double) (answer->body.len + answer->padding);

	if (bandwidth == 0)
		return ready_us;
	if (line->free_us < ready_us)
		line->free_us = ready_us;
	line->free_us += (int64_t) (bytes * 1e6 / (double) bandwidth);
	return line->free_us;
}
