/*-------------------------------------------------------------------------
 *
 * datum.h
 *		Texts as values of common types, without their input functions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_DATUM_H
#define DNC_DATUM_H

/* Reads a text, in the database's encoding; false: the input function has to. */
typedef bool (*DncDatumReader) (const char *text, Datum *value);

extern DncDatumReader dnc_datum_reader(Oid type, int32 typmod);

#endif							/* DNC_DATUM_H */
