/*
 * log.h
 *		The requests to an account, in order of arrival.
 *
 * Each line has a number that is never used twice.  So an answer that comes late finds its line,
 * or notices that the log was emptied meanwhile.
 */
#ifndef SB_LOG_H
#define SB_LOG_H

#include "text.h"

typedef struct SbLogLine
{
	char	   *request;		/* METHOD PATH?QUERY, as on the wire */
	char	   *body;			/* NULL: none */
	size_t		body_len;
	int			status;			/* 0: no answer yet */
	int64_t		entries;		/* returned, added or deleted; -1: does not apply */
	int64_t		arrived_ms;		/* since the server started */
	int64_t		answered_ms;
} SbLogLine;

typedef struct SbLog
{
	SbLogLine  *line;			/* a ring: the oldest at first % room */
	size_t		room;			/* a power of two, or 0 */
	uint64_t	first;			/* number of the oldest line */
	uint64_t	next;			/* number of the next line */
	size_t		bytes;			/* size of all requests and bodies */
	uint64_t	dropped;		/* lines dropped since the log was last emptied */
} SbLog;

extern uint64_t sb_log_open(SbLog *log, const char *method, const char *target, int64_t now_ms);
extern void sb_log_body(SbLog *log, uint64_t number, SbText *body);
extern void sb_log_entries(SbLog *log, uint64_t number, int64_t entries);
extern void sb_log_status(SbLog *log, uint64_t number, int status, int64_t now_ms);
extern void sb_log_print(const SbLog *log, SbText *into, bool bodies, bool times);
extern void sb_log_clear(SbLog *log);

#endif							/* SB_LOG_H */
