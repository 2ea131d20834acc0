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
is_on_list(const DncWrite *write, DncBudget *budget)
{
	const DncOptions *options = write->target->options;
	DncCounters *counters = palloc0(sizeof(DncCounters));

	dnc_counters_begin(counters, options, budget);
	return dnc_contains(options, dnc_write_value(write, DNC_COL_IDENTIFIER), counters);
}

/*
 * Is the entry of a write listed?  Raises nothing that the remote does wrong: then
 * problem->message is set.
 *
 * Such an error is raised deep in the reading of the list, and caught here.  That takes
 * no subtransaction, since nothing but memory was touched.  All else goes on, interrupts
 * above all.
 */
bool
dnc_listed(const DncWrite *write, DncBudget *budget, DncProblem *problem)
{
	MemoryContext before = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(before, "dnc_fdw look-up",
												  ALLOCSET_DEFAULT_SIZES);
	volatile bool listed = false;

	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		listed = is_on_list(write, budget);
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
