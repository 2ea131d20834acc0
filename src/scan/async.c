/*-------------------------------------------------------------------------
 *
 * async.c
 *		Reading several servers at once, under Append.
 *
 * Append asks each scan for a row.  A scan that has to wait for a page sends the request
 * and says so, and Append goes on to the next scan.  When all of them wait, Append lets
 * each scan register the sockets that it waits for.  We register none, because only
 * libcurl can wait on its sockets.  Instead, the first scan that Append asks waits for
 * the pages of all of them, and then we hand over the page that came.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/execAsync.h"
#include "executor/instrument.h"
#include "foreign/fdwapi.h"

#include "scan/async.h"
#include "scan/scan.h"

/* The scan of a request. */
static DncScan *
scan_of(const AsyncRequest *request)
{
	return castNode(ForeignScanState, request->requestee)->fdw_state;
}

/* Answer a request with a row or the end of the scan, or say that the scan waits. */
void
dnc_async_request(AsyncRequest *request)
{
	PlanState  *node = request->requestee;
	DncScan    *scan = scan_of(request);

	for (;;)
	{
		DncCall    *call = dnc_scan_ask(scan);
		TupleTableSlot *row;

		if (call && !dnc_call_poll(call))
		{
			ExecAsyncRequestPending(request);
			return;
		}
		row = node->ExecProcNodeReal(node);
		if (!TupIsNull(row) || dnc_scan_at_end(scan))
		{
			ExecAsyncRequestDone(request, TupIsNull(row) ? NULL : row);
			return;
		}
	}
}

/*
 * Wait until one of the waiting scans under the same Append has its page.  Returns at once if a
 * scan of another FDW waits, too, because Append then waits for that scan.
 */
static void
wait_for_any(AppendState *append, const FdwRoutine *ours)
{
	DncCall   **calls = palloc(sizeof(DncCall *) * append->as_nasyncplans);
	int			count = 0;
	int			i = -1;
	bool		all_wait = true;

	while (all_wait && (i = bms_next_member(append->as_asyncplans, i)) >= 0)
	{
		AsyncRequest *peer = append->as_asyncrequests[i];
		const FdwRoutine *routine = castNode(ForeignScanState, peer->requestee)->fdwroutine;
		DncCall    *call = NULL;

		if (!peer->callback_pending)
			continue;
		if (routine->ForeignAsyncConfigureWait == ours->ForeignAsyncConfigureWait)
			call = dnc_scan_ask(scan_of(peer));
		all_wait = call != NULL;
		if (all_wait)
			calls[count++] = call;
	}
	if (all_wait)
		dnc_call_wait_any(calls, count);
	pfree(calls);
}

/*
 * A request waits, and Append has nothing else to do.  Wait with it, unless Append has other
 * scans to run, and answer the request if its page has come.
 */
void
dnc_async_wait(AsyncRequest *request)
{
	AppendState *append = castNode(AppendState, request->requestor);
	DncCall    *call = dnc_scan_ask(scan_of(request));

	if (call && !dnc_call_poll(call) && append->as_syncdone)
		wait_for_any(append, castNode(ForeignScanState, request->requestee)->fdwroutine);
	if (call && !dnc_call_poll(call))
		return;
	/* Append itself does this for a request that an event has woken. */
	request->callback_pending = false;
	dnc_async_request(request);
	ExecAsyncResponse(request);
	if (request->requestee->instrument)
		InstrUpdateTupleCount(request->requestee->instrument,
							  TupIsNull(request->result) ? 0.0 : 1.0);
}
