/*-------------------------------------------------------------------------
 *
 * estimate.h
 *		The expected number of requests of a scan.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_ESTIMATE_H
#define DNC_ESTIMATE_H

#include "nodes/pathnodes.h"

#include "config/option.h"
#include "plan/qual.h"

/* The requests and entries that we expect of one scan. */
typedef struct DncEstimate
{
	double		requests;
	double		entries;		/* entries that the remote sends */
} DncEstimate;

extern bool dnc_estimate_may_be_short(PlannerInfo *root, bool analyzed);
extern bool dnc_estimate_is_lookup(const DncPushed *pushed);
extern DncEstimate dnc_estimate_scan(PlannerInfo *root, RelOptInfo *rel, const DncOptions *options,
									 bool analyzed, List *sent);
extern double dnc_estimate_list_requests(PlannerInfo *root, RelOptInfo *rel,
										 const DncOptions *options, bool analyzed, List *sent);

#endif							/* DNC_ESTIMATE_H */
