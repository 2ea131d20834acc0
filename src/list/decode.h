/*-------------------------------------------------------------------------
 *
 * decode.h
 *		Entries of a list as rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_DECODE_H
#define DNC_DECODE_H

#include "nodes/bitmapset.h"

#include "config/column.h"
#include "config/option.h"
#include "wire/json.h"

typedef struct DncDecoder DncDecoder;

extern DncDecoder *dnc_decoder_make(const DncOptions *options, TupleDesc desc,
									const DncColumnMap *map, const Bitmapset *needed,
									const char *search);
extern void dnc_decoder_page(DncDecoder *decoder, const char *entries);
extern void dnc_decoder_entry(DncDecoder *decoder, const DncJson *entry, int index,
							  Datum *values, bool *nulls);

extern void dnc_decoder_texts(DncDecoder *decoder, const char *const *texts, Datum *values,
							  bool *nulls);

#endif							/* DNC_DECODE_H */
