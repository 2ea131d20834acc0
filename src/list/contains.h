/*-------------------------------------------------------------------------
 *
 * contains.h
 *		Is an identifier, or the addition of a request, on a list?
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_CONTAINS_H
#define DNC_CONTAINS_H

#include "datatype/timestamp.h"

#include "config/option.h"
#include "request/counters.h"

extern bool dnc_contains_is_lookup(const DncOptions *options, const char *identifier);
extern bool dnc_contains(const DncOptions *options, const char *identifier, const char *type,
						 DncCounters *counters, TimestampTz *added);
extern bool dnc_contains_request(const DncOptions *options, const char *identifier,
								 const char *request_uuid, DncCounters *counters);

#endif							/* DNC_CONTAINS_H */
