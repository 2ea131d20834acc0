/*-------------------------------------------------------------------------
 *
 * listed.c
 *		Whether the entry of a write is on the list.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/memutils.h"

#include "list/contains.h"
#include "list/fast_input.h"
#include "write/listed.h"

/* We look for the entry of a write, or for the entry that the request of an addition has made. */
typedef struct Look
{
	const DncWrite *write;
	bool		of_request;
	TimestampTz *added;			/* as in dnc_contains(); may be NULL */
} Look;

/* Is the entry on the remote list?  Raises the errors of reading a list. */
static bool
is_on_list(const Look *look, DncBudget *budget)
{
	const DncOptions *options = look->write->target->options;
	const char *identifier = dnc_write_value(look->write, DNC_COL_IDENTIFIER);
	DncCounters *counters = palloc0(sizeof(DncCounters));
	const char *type = dnc_provider_is_identity(options->provider, DNC_COL_IDENTIFIER_TYPE)
		? dnc_write_value(look->write, DNC_COL_IDENTIFIER_TYPE) : NULL;

	dnc_counters_begin(counters, options, budget);
	if (look->of_request)
		return dnc_contains_request(options, identifier,
									dnc_write_value(look->write, DNC_COL_REQUEST_UUID), counters);
	return dnc_contains(options, identifier, type, counters, look->added);
}

/*
 * The same, but a failure of the remote sets problem->message, and raises no error.
 *
 * The reading raises that error deep inside, and we catch it here.  That takes no subtransaction,
 * since the reading touches nothing but memory.  All other errors go on, interrupts above all.
 */
static bool
try_look(const Look *look, DncBudget *budget, DncProblem *problem)
{
	MemoryContext before = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(before, "dnc_fdw look-up",
												  ALLOCSET_DEFAULT_SIZES);
	volatile bool listed = false;

	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		listed = is_on_list(look, budget);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		if (!dnc_remote_error_is(geterrcode()))
			PG_RE_THROW();
		MemoryContextSwitchTo(before);
		error = CopyErrorData();
		FlushErrorState();
		problem->sqlstate = error->sqlerrcode;
		problem->message = error->message;
		problem->detail = error->detail;
		problem->hint = error->hint;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return listed;
}

/*
 * Is the entry of a write listed?  *added, which may be NULL, gets the time when the entry was
 * added: see dnc_contains().  A failure of the remote goes into *problem.
 */
bool
dnc_listed(const DncWrite *write, DncBudget *budget, DncProblem *problem, TimestampTz *added)
{
	return try_look(&(Look) {.write = write,.added = added}, budget, problem);
}

/*
 * Can we tell the entry that an addition has made from others?  We can if the addition has a uuid
 * of its own, and the API has a filter for that.
 */
bool
dnc_listed_by_request(const DncWrite *write)
{
	const DncProvider *provider = write->target->options->provider;
	const char *uuid = write->action == DNC_ACTION_ADD
		? dnc_write_value(write, DNC_COL_REQUEST_UUID) : NULL;
	Datum		value;

	if (uuid == NULL || !dnc_fast_input_find(UUIDOID, -1) (uuid, &value))
		return false;
	for (int i = 0; i < provider->nfilters; i++)
	{
		if (provider->filters[i].column == DNC_COL_REQUEST_UUID)
			return true;
	}
	return false;
}

/* Is the entry that an addition has made on the list?  dnc_listed_by_request() must hold. */
bool
dnc_listed_request(const DncWrite *addition, DncBudget *budget, DncProblem *problem)
{
	return try_look(&(Look) {.write = addition,.of_request = true}, budget, problem);
}
