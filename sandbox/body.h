/*
 * body.h
 *		Bodies of requests: JSON, and objects with known members only.
 */
#ifndef SB_BODY_H
#define SB_BODY_H

#include <cjson/cJSON.h>

#include "http.h"

/* A member that an object may have, and its value. */
typedef struct SbMember
{
	const char *name;
	const cJSON *value;			/* NULL: not given */
} SbMember;

extern cJSON *sb_body_parse(const SbRequest *req, SbText *problem);
extern bool sb_body_pick(const cJSON *object, SbMember *members, int count, const char *where,
						 const char *prefix, SbText *problem);
extern bool sb_body_string(const SbMember *member, const char *prefix, bool required,
						   const char **string, SbText *problem);

#endif							/* SB_BODY_H */
