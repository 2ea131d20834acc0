/*-------------------------------------------------------------------------
 *
 * analyze.c
 *		ANALYZE of a list.
 *
 * ANALYZE continues with the next table if PostgreSQL learns beforehand that a table
 * cannot be analyzed, but ends with the first error later on.  So we read the list when
 * PostgreSQL asks whether it can be analyzed.  If we cannot, we raise a WARNING, and the
 * old statistics stay.
 *
 * One command may ask for a list several times: ANALYZE of a partitioned table reads its
 * partitions, and then analyzes each partition by itself, in its own transaction.  So we
 * keep samples until the command ends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "commands/vacuum.h"
#include "common/pg_prng.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "nodes/memnodes.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "catch.h"
#include "compat.h"
#include "config/credential.h"
#include "scan/analyze.h"
#include "scan/sample.h"

/* A table that the command has asked for. */
typedef struct Analyzed
{
	struct Analyzed *next;
	Oid			relid;
	bool		skipped;		/* the list cannot be read, or must not be analyzed */
	BlockNumber pages;			/* of the list */
	DncSample	sample;
} Analyzed;

/* The samples that a command keeps. */
typedef struct Kept
{
	MemoryContext command;		/* ends with the command */
	MemoryContext context;		/* below it: holds everything that we keep */
	MemoryContextCallback callback;
	Analyzed   *first;
} Kept;

static Kept *kept;				/* of the running command, or NULL */

/*
 * The memory context of the command.  VACUUM and ANALYZE make a context of this name that
 * outlives their transactions.  If there is none, we keep samples until the portal ends.
 */
static MemoryContext
command_context(void)
{
	for (MemoryContext child = PortalContext->firstchild; child; child = child->nextchild)
	{
		if (strcmp(child->name, "Vacuum") == 0)
			return child;
	}
	return PortalContext;
}

/* MemoryContextCallback: the command is over, or has failed. */
static void
forget(void *arg)
{
	if (kept == arg)
		kept = NULL;
}

/* The samples of the running command, or a new place for them. */
static Kept *
find_kept(void)
{
	MemoryContext command = command_context();
	MemoryContext context;

	if (kept && kept->command == command)
		return kept;
	context = AllocSetContextCreate(command, "dnc_fdw samples", ALLOCSET_DEFAULT_SIZES);
	kept = MemoryContextAllocZero(context, sizeof(Kept));
	kept->command = command;
	kept->context = context;
	kept->callback.func = forget;
	kept->callback.arg = kept;
	MemoryContextRegisterResetCallback(context, &kept->callback);
	return kept;
}

/* A table that the command has asked for before, if it is unchanged; NULL: none. */
static Analyzed *
find_analyzed(Relation relation)
{
	for (Analyzed *analyzed = find_kept()->first; analyzed; analyzed = analyzed->next)
	{
		if (analyzed->relid == RelationGetRelid(relation) &&
			(analyzed->skipped ||
			 equalTupleDescs(analyzed->sample.desc, RelationGetDescr(relation))))
			return analyzed;
	}
	return NULL;
}

/* The largest statistics target of a table's columns. */
static int
statistics_target(Relation relation)
{
	int			largest = default_statistics_target;

	for (AttrNumber attnum = 1; attnum <= RelationGetNumberOfAttributes(relation); attnum++)
	{
		HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(RelationGetRelid(relation)),
											Int16GetDatum(attnum));
		bool		isnull;
		Datum		target;

		if (!HeapTupleIsValid(tuple))
			continue;
		target = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attstattarget, &isnull);
		if (!isnull)
			largest = Max(largest, DatumGetInt16(target));
		ReleaseSysCache(tuple);
	}
	return largest;
}

/*
 * Read a list with the token and the privileges of the table's owner, as ANALYZE runs.
 * PostgreSQL has not told us yet how many rows it wants; it is 300 times the statistics target.
 */
static void
read_list(Relation relation, Analyzed *analyzed)
{
	Oid			relid = RelationGetRelid(relation);
	const DncOptions *options = dnc_options_load(GetForeignServerIdByRelId(relid), relid);
	Oid			user;
	int			security;
	int			nest_level;

	analyzed->skipped = !options->analyze;
	if (analyzed->skipped)
		return;
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(relation->rd_rel->relowner, security | SECURITY_RESTRICTED_OPERATION);
	nest_level = NewGUCNestLevel();
	dnc_restrict_search_path();
	dnc_sample_draw(relation, dnc_credential_options(options, relation->rd_rel->relowner),
					300 * statistics_target(relation), kept->context, &analyzed->sample);
	analyzed->pages = (BlockNumber) Max(Min(analyzed->sample.total / options->page_size,
											MaxBlockNumber), 1);
	AtEOXact_GUC(false, nest_level);
	SetUserIdAndSecContext(user, security);
}

/* Raise the WARNING that a table is not analyzed, with the reason. */
static void
warn(Relation relation, const ErrorData *error)
{
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("cannot read the list of foreign table \"%s\" for ANALYZE: %s",
					RelationGetRelationName(relation), error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0));
}

/* The argument of read_in_subtransaction(). */
typedef struct Reading
{
	Relation	relation;
	Analyzed   *analyzed;
} Reading;

/* Read a list, in memory that is freed afterwards in any case. */
static void
read_in_subtransaction(void *argument)
{
	const Reading *reading = argument;
	MemoryContext before = MemoryContextSwitchTo(CurTransactionContext);

	read_list(reading->relation, reading->analyzed);
	MemoryContextSwitchTo(before);
}

/*
 * Read a list; raise a WARNING if that fails.  A lack of memory, a cancel and the like end the
 * command.
 */
static void
read_or_warn(Relation relation, Analyzed *analyzed)
{
	Reading		reading = {relation, analyzed};
	ErrorData  *error = dnc_catch(read_in_subtransaction, &reading);

	if (error == NULL)
		return;
	analyzed->skipped = true;
	warn(relation, error);
	FreeErrorData(error);
}

/*
 * Can a table be analyzed?  Reads its list, and returns the number of pages to record for the
 * table.  If not, a WARNING says why, and PostgreSQL leaves the table out.
 */
bool
dnc_analyze_prepare(Relation relation, BlockNumber *pages)
{
	Analyzed   *analyzed = find_analyzed(relation);

	if (analyzed == NULL)
	{
		analyzed = MemoryContextAllocZero(find_kept()->context, sizeof(Analyzed));
		analyzed->relid = RelationGetRelid(relation);
		read_or_warn(relation, analyzed);
		analyzed->next = kept->first;
		kept->first = analyzed;
	}
	*pages = analyzed->pages;
	return !analyzed->skipped;
}

/*
 * AcquireSampleRowsFunc: up to target rows of the list, and the number of its entries, from the
 * sample that dnc_analyze_prepare() has drawn.
 */
int
dnc_analyze_sample(Relation relation, int elevel, HeapTuple *rows, int target, double *total,
				   double *dead)
{
	const Analyzed *analyzed = find_analyzed(relation);
	const DncSample *sample;
	int			given = 0;

	if (analyzed == NULL || analyzed->skipped)
		elog(ERROR, "the list of foreign table \"%s\" was not read", RelationGetRelationName(relation));
	sample = &analyzed->sample;
	for (int i = 0; i < sample->count && given < target; i++)
	{
		int			left = sample->count - i;
		int			wanted = target - given;

		/* Each remaining row has the same chance. */
		if (wanted >= left || pg_prng_double(&pg_global_prng_state) * left < wanted)
			rows[given++] = heap_copytuple(sample->rows[i]);
	}
	*total = sample->total;
	*dead = 0;
	ereport(elevel,
			(errmsg("\"%s\": %lld requests, %.0f entries read of %.0f, %d rows in sample",
					RelationGetRelationName(relation), (long long) sample->requests,
					sample->read, *total, given)));
	return given;
}
