/*
 * entry_key.c
 *		The key of a list's entry as an SQL function, for tests: entry_key(identifier,
 *		identifier_type, country, international_digits).
 *
 * Compiled together with src/match/, in a database of UTF-8.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "match/key.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(entry_key);

extern Datum entry_key(PG_FUNCTION_ARGS);

static char *
argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

Datum
entry_key(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(dnc_match_entry_key(argument(fcinfo, 0), argument(fcinfo, 1),
														 argument(fcinfo, 2),
														 PG_GETARG_BOOL(3))));
}
