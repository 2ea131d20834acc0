/*-------------------------------------------------------------------------
 *
 * server_text.h
 *		Keys in the database's encoding.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DNC_SERVER_TEXT_H
#define DNC_SERVER_TEXT_H

#include "fmgr.h"

extern char *dnc_match_convert(const char *given, int length, int from, int to, int *converted);
extern char *dnc_match_from_server(const text *argument);
extern const char *dnc_match_optional_argument(FunctionCallInfo fcinfo, int number);
extern char *dnc_match_to_server(const char *utf8, bool *whole);

#endif							/* DNC_SERVER_TEXT_H */
