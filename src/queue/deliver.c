/*-------------------------------------------------------------------------
 *
 * deliver.c
 *		Sends the writes that wait in the queue.
 *
 * In a round, we claim writes and COMMIT, send them, record the outcome of each request and COMMIT.
 * While we wait for the vendor, the transaction has done nothing yet: it holds no lock, no
 * snapshot and no transaction ID.  A sender that dies leaves writes marked as being sent.  Then
 * its session's locks are free, so the next sender takes up these writes.
 *
 * One session sends for an account at a time.  It holds two locks: one for the server, one
 * for the name of the account.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "queue/deliver.h"
#include "queue/record.h"
#include "queue/table.h"
#include "request/progress.h"
#include "write/listed.h"

/* After so many refusals of single writes in a row, we no longer blame the writes, and back off. */
#define REFUSED_IN_A_ROW 3

/* A round, while its writes are sent. */
typedef struct Round
{
	const DncDelivery *delivery;
	DncClaim	claim;
	DncBudget	budget;			/* without a limit: the rate limit bounds the sending */
	DncProgress *progress;
	MemoryContext record_context;	/* reset with each outcome */
	int			refused;		/* in a row, perhaps through no fault of the writes */
	bool		stopped;		/* we do not send the rest */
} Round;

/* ----- locks ----- */

/* A sender's lock: on a server, by OID, or on an account, by a hash of its name. */
static LOCKTAG
lock_tag(uint32 key, bool of_account)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, key, of_account ? 1 : 0, DNC_DELIVER_LOCK_CLASS);
	return tag;
}

/* Take a lock for the session without waiting; false: another session has it. */
static bool
take_lock(const LOCKTAG *tag)
{
	return LockAcquire(tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

/* ----- a round ----- */

/* End the transaction, and begin the next one, in READ COMMITTED. */
static void
commit(const DncDelivery *delivery)
{
	delivery->commit();
	XactIsoLevel = XACT_READ_COMMITTED;
}

/* Record the outcome of a request, and commit, unless the writes have to be halved. */
static DncRecorded
record(Round *round, const DncSent *sent)
{
	MemoryContext before = MemoryContextSwitchTo(round->record_context);
	DncRecorded recorded;

	PushActiveSnapshot(GetTransactionSnapshot());
	recorded = dnc_record_outcome(&round->claim, sent, round->stopped);
	round->refused = recorded == DNC_RECORDED_REFUSED ? round->refused + 1 : 0;
	if (round->refused == REFUSED_IN_A_ROW)
	{
		(void) dnc_lane_back_off(&round->claim.lane, sent);
		recorded = DNC_RECORDED_STOP;
	}
	PopActiveSnapshot();
	if (recorded != DNC_RECORDED_HALVE)
		commit(round->delivery);
	else
		InvalidateCatalogSnapshot();
	MemoryContextSwitchTo(before);
	MemoryContextReset(round->record_context);
	round->stopped = round->stopped || recorded == DNC_RECORDED_STOP;
	return recorded;
}

/*
 * Record the outcome of writes that we do not send.  asked is when we began to look for their
 * entries; 0: we did not look.
 */
static void
record_without_sending(Round *round, DncWrite **writes, int count, DncOutcome outcome,
					   const DncProblem *problem, TimestampTz asked)
{
	DncSent		sent = {.writes = writes, .count = count, .outcome = outcome,
	.requested = asked, .answered = GetCurrentTimestamp(), .retry_after_ms = -1};

	if (problem)
		sent.problem = *problem;
	(void) record(round, &sent);
}

/*
 * Send writes, and record the outcome of each request.  If a request is refused because of an
 * entry in it, we send each half by itself, until we have found that entry.
 */
static void
send_writes(Round *round, DncWrite **writes, int count)
{
	DncSend    *send;
	DncSent		sent;
	List	   *halves = NIL;	/* of pairs: first write, count */

	check_stack_depth();
	if (round->stopped)
	{
		record_without_sending(round, writes, count, DNC_OUTCOME_NOT_SENT, NULL, 0);
		return;
	}
	send = dnc_send_begin(writes, count, &round->budget, round->progress);
	while (dnc_send_next(send, &sent))
	{
		DncRecorded recorded = record(round, &sent);

		if (recorded == DNC_RECORDED_HALVE)
			halves = lappend_int(lappend_int(halves, sent.writes - writes), sent.count);
		if (round->stopped)
			dnc_send_stop(send);
	}
	for (int i = 0; i < list_length(halves); i += 2)
	{
		DncWrite  **first = writes + list_nth_int(halves, i);
		int			all = list_nth_int(halves, i + 1);

		send_writes(round, first, all / 2);
		send_writes(round, first + all / 2, all - all / 2);
	}
}

/*
 * The vendor may have taken an earlier try of this write, so look whether its entry is on the
 * list.  If an addition has a uuid of its own, we look for the uuid, since the vendor may write the
 * number in another way.  If somebody else has added the number, the vendor will say so.
 *
 * We do not send a removal again if the entry may be younger than the removal's first request.
 * The vendor may have taken that request, and somebody may have added the person since.
 *
 * True: the write has to be sent.  False: we have recorded its outcome.
 */
static bool
has_to_be_sent(Round *round, DncWrite *write)
{
	DncProblem	problem = {0};
	TimestampTz asked = GetCurrentTimestamp();
	TimestampTz added = DT_NOEND;
	DncClaimedWrite *claimed = (DncClaimedWrite *) dnc_claimed_of(write);
	bool		listed;

	if (write->action == DNC_ACTION_ADD && dnc_write_call(write)->repeatable)
		return true;
	if (!dnc_record_can_look_up(write->target->options->provider))
	{
		record_without_sending(round, &write, 1, DNC_OUTCOME_UNCLEAR, NULL, 0);
		return false;
	}
	listed = dnc_listed_by_request(write)
		? dnc_listed_request(write, &round->budget, &problem)
		: dnc_listed(write, &round->budget, &problem, &added);
	if (problem.message)
		record_without_sending(round, &write, 1, DNC_OUTCOME_NOT_SENT, &problem, asked);
	else if (listed == (write->action == DNC_ACTION_ADD))
		record_without_sending(round, &write, 1, DNC_OUTCOME_UNCHANGED, NULL, asked);
	else if (dnc_write_call(write)->look_first && !dnc_outcome_is_older(added, claimed->requested))
	{
		claimed->perhaps_new = true;
		record_without_sending(round, &write, 1, DNC_OUTCOME_UNCLEAR, NULL, asked);
	}
	else
		return true;
	return false;
}

/* Send the claimed writes of a round, those with an unclear earlier try only after a look. */
static void
send_round(Round *round)
{
	DncClaim   *claim = &round->claim;
	DncWrite  **writes = palloc(sizeof(DncWrite *) * claim->count);
	int			count = 0;

	for (int i = 0; i < claim->count; i++)
	{
		DncWrite   *write = claim->writes[i];

		if (round->stopped || !dnc_claimed_of(write)->unclear || has_to_be_sent(round, write))
			writes[count++] = write;
	}
	if (count > 0)
		send_writes(round, writes, count);
}

/* Make a round for an account; false: there was nothing to claim. */
static bool
deliver_round(const DncDelivery *delivery, const char *account)
{
	MemoryContext context = AllocSetContextCreate(delivery->context, "dnc_fdw queue round",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	Round	   *round = palloc0(sizeof(Round));
	bool		found;

	round->delivery = delivery;
	round->record_context = AllocSetContextCreate(context, "dnc_fdw queue record",
												  ALLOCSET_DEFAULT_SIZES);
	PushActiveSnapshot(GetTransactionSnapshot());
	found = dnc_claim_next(delivery->serverid, account, &round->claim);
	PopActiveSnapshot();
	commit(delivery);
	MemoryContextSwitchTo(context);
	if (found && round->claim.count > 0)
	{
		round->progress = dnc_progress_begin("deliver", round->claim.writes[0]->target->options,
											 InvalidOid, round->claim.count);
		send_round(round);
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return found;
}

/* Send all writes that are due; the caller has the locks. */
static void
deliver_all(const DncDelivery *delivery, const char *account)
{
	MemoryContext before = MemoryContextSwitchTo(delivery->context);

	PushActiveSnapshot(GetTransactionSnapshot());
	dnc_claim_recover(delivery->serverid);
	dnc_lane_wake_all(delivery->serverid);
	PopActiveSnapshot();
	commit(delivery);
	MemoryContextSwitchTo(delivery->context);
	while (deliver_round(delivery, account))
		CHECK_FOR_INTERRUPTS();
	MemoryContextSwitchTo(before);
}

/*
 * Send the writes in the queue of a server that are due, until no more are due.  Ends and begins
 * transactions with delivery->commit.  False: another session is sending for the server or its
 * account, and we have sent nothing.
 */
bool
dnc_queue_deliver(const DncDelivery *delivery)
{
	const char *account = MemoryContextStrdup(delivery->context,
											  dnc_queue_account(dnc_options_load(delivery->serverid, InvalidOid)));
	LOCKTAG		server_lock = lock_tag(delivery->serverid, false);
	LOCKTAG		account_lock = lock_tag(hash_bytes((const unsigned char *) account,
												   (int) strlen(account)), true);

	if (!take_lock(&server_lock))
		return false;
	if (!take_lock(&account_lock))
	{
		LockRelease(&server_lock, ExclusiveLock, true);
		return false;
	}
	PG_TRY();
	{
		commit(delivery);
		deliver_all(delivery, account);
	}
	PG_FINALLY();
	{
		LockRelease(&account_lock, ExclusiveLock, true);
		LockRelease(&server_lock, ExclusiveLock, true);
	}
	PG_END_TRY();
	return true;
}

/*
 * Run dnc_queue_deliver() for a CALL, with SPI's transactions.  A NOTICE says if another session is
 * sending.
 */
void
dnc_queue_deliver_by_call(Oid serverid)
{
	DncDelivery delivery = {.serverid = serverid, .commit = SPI_commit};

	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	delivery.context = AllocSetContextCreate(PortalContext, "dnc_fdw queue delivery",
											 ALLOCSET_DEFAULT_SIZES);
	if (!dnc_queue_deliver(&delivery))
		ereport(NOTICE,
				(errmsg("another session is sending the queue of server \"%s\"",
						GetForeignServer(serverid)->servername)));
	MemoryContextDelete(delivery.context);
	SPI_finish();
}
