/*-------------------------------------------------------------------------
 *
 * filter.h
 *		Conditions as chains of list requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_FILTER_H
#define DNC_FILTER_H

#include <math.h>

#include "nodes/pg_list.h"

#include "config/option.h"
#include "request/request.h"

typedef enum DncOp
{
	DNC_OP_EQ,					/* the column is one of the values */
	DNC_OP_LIKE,
	DNC_OP_ILIKE
} DncOp;

/* A condition on a column, its values known at run time. */
typedef struct DncCondition
{
	DncColumn	column;
	DncOp		op;
	List	   *values;			/* of char *, in the database's encoding; NIL: no entry meets
								 * the condition */
	bool		any;			/* from IN or = ANY, even if the array has one element */
	bool		placeholder;	/* the value is "$1", for EXPLAIN */
} DncCondition;

/*
 * One reading of the list, narrowed by filters.  If a scan has several chains, an entry belongs
 * to the chain whose value the entry has.  So each entry comes once, even if the remote search
 * finds it for another chain, too.
 */
typedef struct DncChain
{
	List	   *filters;		/* of DncParameter: the parameters in the requests */
	char	   *key;			/* filters and checks as a text: equal for chains that find the
								 * same entries */
	const char *search;			/* the value of the column search; NULL: NULL */
	List	   *checks;			/* of DncChainCheck: the values that an entry must have */
} DncChain;

typedef struct DncChainCheck
{
	const char *member;			/* of the entry */
	const char *value;			/* UTF-8 */
	bool		ignores_plus;	/* ignore a + in front of the entry's value */
} DncChainCheck;

/*
 * The chains that together find all entries that meet some conditions.  Each chain is made only
 * when it is needed, because there may be as many as an array has values.
 */
typedef struct DncChains
{
	int			count;			/* 0: no entry can meet the conditions, so we ask for nothing */
	const DncOptions *options;
	List	   *used;			/* known to filter.c only */
} DncChains;

/*
 * With at least this many types, we first look at a list of unknown size: if the list has only
 * one page, that page has all of the types.
 */
#define DNC_FILTER_MANY_TYPES 3

/* For list_requests: send each value, no matter how many there are. */
#define DNC_ANY_NUMBER HUGE_VAL

extern bool dnc_filter_has_column(const DncProvider *provider, DncColumn column);
extern bool dnc_filter_is_lookup(DncColumn column, DncOp op);
extern DncChains *dnc_filter_chains(const DncOptions *options, const DncCondition *conditions,
									int count, double list_requests);
extern DncChains *dnc_filter_chains_by_identity(const DncOptions *options,
												const DncCondition *conditions, int count,
												double list_requests);
extern DncChain *dnc_filter_chain(const DncChains *chains, int index);
extern DncChains *dnc_filter_chains_of_any_type(const DncChains *chains,
												const DncCondition *conditions, int count);
extern int	dnc_filter_values(const DncChains *chains, DncColumn column);
extern bool dnc_filter_sends_lookup(const DncChains *chains);

#endif							/* DNC_FILTER_H */
