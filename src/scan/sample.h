/*-------------------------------------------------------------------------
 *
 * sample.h
 *		A sample of the entries of a list.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_SAMPLE_H
#define DNC_SAMPLE_H

#include "access/htup.h"
#include "utils/rel.h"

#include "config/option.h"

typedef struct DncSample
{
	TupleDesc	desc;			/* the table's, for the rows */
	HeapTuple  *rows;
	int			count;			/* number of rows */
	double		total;			/* entries of the list that a scan would show */
	double		read;			/* entries that we read for the sample */
	int64		requests;
} DncSample;

extern double dnc_sample_expected_entries(Relation relation, const DncOptions *options);
extern void dnc_sample_draw(Relation relation, const DncOptions *options, int target,
							MemoryContext context, DncSample *sample);

#endif							/* DNC_SAMPLE_H */
