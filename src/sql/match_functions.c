/*-------------------------------------------------------------------------
 *
 * match_functions.c
 *		Keys of identifiers, as SQL functions.
 *
 * We take texts of any encoding: a text that UTF-8 cannot express must not raise an error, which
 * would end a scrub half way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "match/key.h"
#include "match/server_text.h"
#include "match/text.h"
#include "match/version.h"

PG_FUNCTION_INFO_V1(dnc_fdw_key);
PG_FUNCTION_INFO_V1(dnc_fdw_keys);
PG_FUNCTION_INFO_V1(dnc_fdw_spellings);
PG_FUNCTION_INFO_V1(dnc_fdw_key_version);

/* A key as a text of the database's encoding; *whole as dnc_match_to_server() sets it. */
static text *
from_utf8(const char *utf8, bool *whole)
{
	return cstring_to_text(dnc_match_to_server(utf8, whole));
}

/*
 * The texts of a set as an array; NULL if there are none.  We leave out a spelling that the
 * database cannot hold: no entry has its code points.
 */
static Datum
array_result(FunctionCallInfo fcinfo, const DncKeySet *set, bool spellings)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(set->count, 1));
	int			count = 0;

	for (int i = 0; i < set->count; i++)
	{
		bool		whole;
		text	   *key = from_utf8(set->keys[i], &whole);

		if (whole || !spellings)
			elements[count++] = PointerGetDatum(key);
	}
	if (count == 0)
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* dnc_fdw_key(identifier, identifier_type, country): NULL if no key can be told. */
Datum
dnc_fdw_key(PG_FUNCTION_ARGS)
{
	char	   *identifier = PG_ARGISNULL(0) ? NULL : dnc_match_from_server(PG_GETARG_TEXT_PP(0));
	char	   *key;
	bool		whole;

	if (identifier == NULL)
		PG_RETURN_NULL();
	key = dnc_match_key(identifier, dnc_match_optional_argument(fcinfo, 1), dnc_match_optional_argument(fcinfo, 2));
	if (key == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(from_utf8(key, &whole));
}

#define KEYS_ARGUMENTS 3

/* The last call of dnc_fdw_keys() in one place of a query. */
typedef struct LastKeys
{
	text	   *arguments[KEYS_ARGUMENTS];	/* NULL: SQL's NULL */
	ArrayType  *keys;			/* NULL: there are none */
} LastKeys;

/* Is an argument the same as in the last call? */
static bool
is_same_argument(const text *last, const text *argument)
{
	if (last == NULL || argument == NULL)
		return last == argument;
	return VARSIZE_ANY_EXHDR(last) == VARSIZE_ANY_EXHDR(argument) &&
		memcmp(VARDATA_ANY(last), VARDATA_ANY(argument), VARSIZE_ANY_EXHDR(last)) == 0;
}

/* Keep a call and its result, in place of the last call. */
static void
keep_last_keys(FunctionCallInfo fcinfo, text *const *arguments, ArrayType *keys)
{
	LastKeys   *old = fcinfo->flinfo->fn_extra;
	LastKeys   *last = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(LastKeys));
	MemoryContext before = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

	for (int i = 0; i < KEYS_ARGUMENTS; i++)
	{
		if (arguments[i])
			last->arguments[i] = (text *) PG_DETOAST_DATUM_COPY(PointerGetDatum(arguments[i]));
	}
	if (keys)
		last->keys = DatumGetArrayTypePCopy(PointerGetDatum(keys));
	MemoryContextSwitchTo(before);
	fcinfo->flinfo->fn_extra = last;
	if (old == NULL)
		return;
	for (int i = 0; i < KEYS_ARGUMENTS; i++)
	{
		if (old->arguments[i])
			pfree(old->arguments[i]);
	}
	if (old->keys)
		pfree(old->keys);
	pfree(old);
}

/*
 * dnc_fdw_keys(identifier, identifier_type, country): NULL if there are none.
 *
 * We keep the last result.  An anti join by match_key = ANY (dnc_fdw_keys(...)) is a nested loop,
 * which asks for the keys of one contact again with each entry of the list.
 */
Datum
dnc_fdw_keys(PG_FUNCTION_ARGS)
{
	LastKeys   *last = fcinfo->flinfo->fn_extra;
	text	   *arguments[KEYS_ARGUMENTS];
	bool		same = last != NULL;
	char	   *identifier;
	DncKeySet	set;
	Datum		result;

	for (int i = 0; i < KEYS_ARGUMENTS; i++)
	{
		arguments[i] = PG_ARGISNULL(i) ? NULL : PG_GETARG_TEXT_PP(i);
		same = same && is_same_argument(last->arguments[i], arguments[i]);
	}
	if (same && last->keys == NULL)
		PG_RETURN_NULL();
	if (same)
		PG_RETURN_ARRAYTYPE_P(DatumGetArrayTypePCopy(PointerGetDatum(last->keys)));
	identifier = arguments[0] ? dnc_match_from_server(arguments[0]) : NULL;
	if (identifier == NULL)
		PG_RETURN_NULL();
	set = dnc_match_keys(identifier, dnc_match_optional_argument(fcinfo, 1), dnc_match_optional_argument(fcinfo, 2));
	result = array_result(fcinfo, &set, false);
	keep_last_keys(fcinfo, arguments, fcinfo->isnull ? NULL : DatumGetArrayTypeP(result));
	return result;
}

/* dnc_fdw_spellings(identifier, identifier_type, country): NULL if there are none. */
Datum
dnc_fdw_spellings(PG_FUNCTION_ARGS)
{
	char	   *identifier = PG_ARGISNULL(0) ? NULL : dnc_match_from_server(PG_GETARG_TEXT_PP(0));
	DncKeySet	set;

	if (identifier == NULL)
		PG_RETURN_NULL();
	set = dnc_match_spellings(identifier, dnc_match_optional_argument(fcinfo, 1), dnc_match_optional_argument(fcinfo, 2));
	return array_result(fcinfo, &set, true);
}

/* dnc_fdw_key_version(): the version of the rules and libraries that keys depend on. */
Datum
dnc_fdw_key_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(dnc_match_key_version()));
}
