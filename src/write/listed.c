/*-------------------------------------------------------------------------
 *
 * listed.c
 *		Whether the entry of a write is on the list.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "list/contains.h"
#include "write/listed.h"

/* Is the entry of a write on the remote list?  Raises what reading a list does. */
static bool
is_on_list(const DncWrite *write, DncBudget *budget, TimestampTz *added)
{
	const DncOptions *options = write->target->options;
	DncCounters *counters = palloc0(sizeof(DncCounters));
	const char *type = dnc_provider_is_identity(options->provider, DNC_COL_IDENTIFIER_TYPE)
		? dnc_write_value(write, DNC_COL_IDENTIFIER_TYPE) : NULL;

	dnc_counters_begin(counters, options, budget);
	return dnc_contains(options, dnc_write_value(write, DNC_COL_IDENTIFIER), type, counters, added);
}

/*
 * Is the entry of a write listed?  *added, which may be NULL, is when it was added: see
 * dnc_contains().  Raises nothing that the remote does wrong: then problem->message is set.
 *
 * Such an error is raised deep in the reading of the list, and caught here.  That takes
 * no subtransaction, since nothing but memory was touched.  All else goes on, interrupts
 * above all.
 */
bool
dnc_listed(const DncWrite *write, DncBudget *budget, DncProblem *problem, TimestampTz *added)
{
	MemoryContext before = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(before, "dnc_fdw look-up",
												  ALLOCSET_DEFAULT_SIZES);
	volatile bool listed = false;

	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		listed = is_on_list(write, budget, added);
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
