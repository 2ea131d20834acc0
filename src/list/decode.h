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
#include "list/entries.h"

typedef struct DncDecoder DncDecoder;

extern DncDecoder *dnc_decoder_make(const DncOptions *options, TupleDesc desc,
									const DncColumnMap *map, const Bitmapset *needed,
									const char *search);
extern void dnc_decoder_for_statistics(DncDecoder *decoder);
extern void dnc_decoder_watch_types(DncDecoder *decoder, bool *warned);
extern const char *dnc_decode_text(const DncProvider *provider, const DncJson *entry,
								   DncColumn column);
extern void dnc_decoder_entry(DncDecoder *decoder, DncEntries *entries, Datum *values,
							  bool *nulls);
extern void dnc_decoder_texts(DncDecoder *decoder, const char *const *texts, Datum *values,
							  bool *nulls);

#endif							/* DNC_DECODE_H */
