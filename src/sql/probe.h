/*-------------------------------------------------------------------------
 *
 * probe.h
 *		dnc_fdw_probe(): its requests to a server, and its findings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_PROBE_H
#define DNC_PROBE_H

#include "datatype/timestamp.h"

#include "list/decode.h"
#include "list/fetch.h"

/* The most requests that a probe sends. */
#define DNC_PROBE_REQUESTS 12

/* The answer to one list request.  It lives as long as the probe. */
typedef struct DncProbeAnswer
{
	int			status;			/* 0: no answer came */
	DncTryFacts facts;			/* zeros if the request was not sent */
	TimestampTz received_at;
	const char *problem;		/* why the answer is no page of a list, without the vendor's
								 * words; NULL: it is a page */
	const DncPaging *paging;	/* how the list goes on; NULL: the answer does not say */
	const DncJson *tree;
	DncPage		page;
	int			count;			/* how many entries the page has */
	bool		more;			/* the answer says that there are more pages */
} DncProbeAnswer;

/* A finding: a row of dnc_fdw_probe(). */
typedef struct DncFinding
{
	const char *topic;
	const char *text;
	const char *setting;		/* SQL to paste; NULL: none */
	int			requests;
} DncFinding;

/* A probe, all in one memory context. */
typedef struct DncProbe
{
	DncOptions	options;		/* a copy of our own, with the token */
	DncCounters counters;
	int			limit;			/* how many entries we ask for in a page */
	int			refused_limit;	/* the smallest page size that was refused; 0: none */
	DncProbeAnswer first;		/* the first page of the list */
	List	   *findings;		/* of DncFinding * */
	int			told;			/* how many requests the findings so far have taken */
} DncProbe;

/* probe_ask.c */
extern DncPageRequest dnc_probe_first_page(const DncProbe *probe, int limit);
extern void dnc_probe_ask(DncProbe *probe, List *filters, const DncPageRequest *page,
						  DncProbeAnswer *answer);
extern const char *dnc_probe_text(const DncProbe *probe, const DncJson *entry, DncColumn column);
extern const char *dnc_probe_member(const DncProbeAnswer *answer, const char *path);
extern int64 dnc_probe_number(const DncProbeAnswer *answer, const char *path);
extern const DncJson *dnc_probe_find(const DncProbe *probe, const DncProbeAnswer *answer,
									 const char *id);
extern void dnc_probe_tell(DncProbe *probe, const char *topic, const char *text,
						   const char *setting);
extern const char *dnc_probe_setting(const DncProbe *probe, const char *option,
									 const char *value);

/* probe_list.c, probe_search.c */
extern void dnc_probe_list(DncProbe *probe);
extern void dnc_probe_search(DncProbe *probe);

#endif							/* DNC_PROBE_H */
