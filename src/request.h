/*-------------------------------------------------------------------------
 *
 * request.h
 *		Conditions and waiting writes as HTTP requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_REQUEST_H
#define DNC_REQUEST_H

#include "call.h"

typedef enum DncOp
{
	DNC_OP_EQ,
	DNC_OP_LIKE,
	DNC_OP_ILIKE
} DncOp;

/* column op value, known at run time. */
typedef struct DncCondition
{
	DncColumn	column;
	DncOp		op;
	const char *value;			/* in the database's encoding; NULL: SQL's NULL */
	bool		placeholder;	/* value is "$1", for EXPLAIN */
} DncCondition;

/*
 * The values that are sent for one entry, in the order of the call's members,
 * in the database's encoding; NULL: left out.
 */
typedef const char *const *DncMemberValues;

extern bool dnc_request_can_match(const DncOptions *options, const DncCondition *conditions,
								  int count);
extern char *dnc_request_filters(const DncOptions *options, const DncCondition *conditions,
								 int count);
extern char *dnc_request_list_target(const DncOptions *options, int limit, const char *filters,
									 const char *parameter, const char *value);
extern bool dnc_request_filters_on(const DncProvider *provider, DncColumn column);
extern void dnc_request_write(const DncOptions *options, const DncWriteCall *write,
							  DncMemberValues *entries, int count, DncRequest *request);

#endif							/* DNC_REQUEST_H */
